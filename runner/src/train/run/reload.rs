//! Specs that are saved while the run goes on: taken up or refused, and put into effect when their time has
//! come.

use super::{Pending, Run};
use crate::engine::Kernels;
use crate::hex::short;
use crate::plan::{Course, Plan, course};
use crate::plugin::Plugin;
use crate::spec::reload::RunningPhase;
use crate::spec::{Change, ChangeKind, Class, Path, Pipeline, Problem, Problems, UnderWay, diff, to_value};
use crate::train::events::ChangedField;
use crate::train::reload::{At, Offer, Prepared};
use crate::train::state::Stage;
use crate::train::{Event, TrainError, specs};
use std::io;
use std::sync::Arc;

impl<D: Kernels> Run<'_, D> {
    /// Looks whether the spec was saved.
    pub(super) fn look_at_spec(&mut self) -> Result<(), TrainError> {
        let at = At { step: self.position.step, stage: self.stage_name() };
        match self.job.follow.latest(at) {
            None => Ok(()),
            Some(Offer::Spec(prepared)) => self.offered(*prepared),
            Some(Offer::Wrong(reason)) => self.refuse(reason, Vec::new()),
            Some(Offer::Gone(why)) => self.refuse(
                format!("the spec cannot be read any more ({why}); the run goes on by the last one"),
                Vec::new(),
            ),
        }
    }

    fn refuse(&mut self, reason: String, fields: Vec<String>) -> Result<(), TrainError> {
        let step = self.position.step;
        self.record(&Event::ReloadRejected { reason, fields, step })
    }

    /// Takes a spec up, or says why not.
    fn offered(&mut self, prepared: Prepared) -> Result<(), TrainError> {
        let (written, plan) = match &self.pending {
            Some(pending) => (&pending.written, &pending.plan),
            None => (&self.job.written, &self.job.plan),
        };
        let changes = self.differences((written, plan), (&prepared.written, &prepared.plan))?;
        if changes.is_empty() {
            return Ok(());
        }
        let under_way = self.under_way();
        let classes: Vec<Class> = changes.iter().map(|change| under_way.class_of(change)).collect();
        if let Err((problems, fields)) = allowed(&changes, &classes, &self.job.command) {
            return self.refuse(prepared.loaded.error(&problems).render(false), fields);
        }
        let plan = &self.job.plan;
        let course = match course(&under_way, plan.as_ref().into(), (&prepared.plan).into()) {
            Ok(course) => course,
            Err(problems) => return self.refuse(prepared.loaded.error(&problems).render(false), Vec::new()),
        };
        self.accept(prepared, course, &changes, &classes)
    }

    /// What waits for its time, where a run goes on that had taken it up.
    pub(super) fn offered_before(&mut self, number: usize, prepared: Prepared) -> Result<(), TrainError> {
        let plan = &self.job.plan;
        let course = course(&self.under_way(), plan.as_ref().into(), (&prepared.plan).into());
        let course = course.map_err(|problems| TrainError::Spec(prepared.loaded.error(&problems).render(false)))?;
        self.waits(number, prepared, course)?;
        self.at_a_border()
    }

    fn waits(&mut self, number: usize, prepared: Prepared, course: Course) -> Result<(), TrainError> {
        let Prepared { written, plan, .. } = prepared;
        let rebuilds = self.rebuilds(&written, &plan)?;
        self.pending_is(Pending { number, written, plan: Arc::new(plan), course, rebuilds });
        Ok(())
    }

    /// Whether the net is built anew, going from the spec that holds to this one.
    fn rebuilds(&self, written: &Pipeline, plan: &Plan) -> Result<bool, TrainError> {
        let changes = self.differences((&self.job.written, &self.job.plan), (written, plan))?;
        let under_way = self.under_way();
        Ok(changes.iter().any(|change| under_way.class_of(change) == Class::Rebuild))
    }

    /// What differs between two specs, and between their plugins.
    fn differences(&self, old: (&Pipeline, &Plan), new: (&Pipeline, &Plan)) -> Result<Vec<Change>, TrainError> {
        let differences = || Ok::<_, serde_yaml::Error>(diff(&to_value(old.0)?, &to_value(new.0)?));
        let path = self.job.dir.file("specs");
        let mut changes = differences().map_err(|error| TrainError::file(&path)(io::Error::other(error)))?;
        changes.extend(other_plugins(old.1, new.1));
        Ok(changes)
    }

    /// A spec that can be taken up is: kept, told, saved, and put into effect as far as it holds now.
    fn accept(
        &mut self,
        prepared: Prepared,
        course: Course,
        changes: &[Change],
        classes: &[Class],
    ) -> Result<(), TrainError> {
        let number = self.pending.as_ref().map_or(self.job.number, |pending| pending.number) + 1;
        if self.job.writes() {
            specs::keep(self.job.dir, number, &prepared.loaded, &prepared.plan)
                .map_err(TrainError::file(&self.job.dir.file(&specs::name(number))))?;
        }
        let changes = changes.iter().zip(classes).map(|(change, &class)| ChangedField {
            field: change.place.clone(),
            change: change.became(),
            class,
            from_step: self.holds_from(class),
        });
        let event = Event::ReloadApplied {
            number,
            step: self.position.step,
            stage: self.stage_name().to_owned(),
            changes: changes.collect(),
        };
        self.waits(number, prepared, course)?;
        self.record(&event)?;
        // From here on the run is another: a kill must not lose that.
        self.save_last()?;
        self.at_a_border()
    }

    /// Steps before a change of this class holds.
    fn holds_from(&self, class: Class) -> Option<u64> {
        let step = self.position.step;
        let left = self.steps_in_epoch.saturating_sub(self.position.step_in_epoch) as u64;
        match class {
            Class::Now => Some(step),
            _ if self.is_between_epochs() => Some(step),
            Class::NextEpoch | Class::Rebuild => Some(step + left),
            Class::NextPhase | Class::Past | Class::Restart => None,
        }
    }

    /// Where the run is, for its log: no two moments with the same name have the same step.
    fn stage_name(&self) -> &'static str {
        match self.stage {
            Stage::Epoch if self.is_between_epochs() => "epoch_begins",
            ref stage => stage.name(),
        }
    }

    pub(super) fn is_between_epochs(&self) -> bool {
        self.position.step_in_epoch == 0
    }

    /// Which phases are done, and which one runs.
    pub(super) fn under_way(&self) -> UnderWay {
        let (phases, at) = (&self.job.plan.phases, self.position.phase);
        let names = |phases: &[crate::plan::PhasePlan]| phases.iter().map(|phase| phase.name.clone()).collect();
        let running = match self.stage {
            Stage::Epoch | Stage::PhaseEnds { .. } => phases.get(at),
            _ => None,
        };
        UnderWay {
            done: phases.get(..at).map(names).unwrap_or_default(),
            running: running
                .map(|phase| RunningPhase { name: phase.name.clone(), epochs: self.position.epoch_in_phase }),
        }
    }
}

/// Plugins that have another content under the same name.
fn other_plugins(old: &Plan, new: &Plan) -> Vec<Change> {
    let digits = |plugin: &Plugin| Some(short(&plugin.sha256).into());
    let other = new.plugins.iter().enumerate().filter_map(|(place, plugin)| {
        let before = old.plugins.iter().find(|old| old.name == plugin.name)?;
        (before.sha256 != plugin.sha256).then(|| Change {
            path: Path::of("plugins").key("load").index(place),
            place: format!("plugins.{}", plugin.name),
            entry: None,
            kind: ChangeKind::Changed,
            old: digits(before),
            new: digits(plugin),
        })
    });
    other.collect()
}

/// Whether all changes can be taken up by a run; else what cannot, and its fields.
fn allowed(changes: &[Change], classes: &[Class], origin: &str) -> Result<(), (Problems, Vec<String>)> {
    let (mut problems, mut fields) = (Problems::default(), Vec::new());
    let refused = changes.iter().zip(classes).filter(|(_, class)| **class == Class::Restart);
    for (change, _) in refused {
        let message = format!("`{}` cannot change while the run goes on: {}", change.place, change.became());
        let help = format!("the run goes on by the last spec; for this one, stop it and run `{origin}`");
        problems.push(Problem::new(change.path.clone(), message).help(help));
        fields.push(change.place.clone());
    }
    if fields.is_empty() { Ok(()) } else { Err((problems, fields)) }
}
