//! How a spec that was taken up comes into effect: numbers at once, the rest where an epoch begins or a phase
//! ends.

use super::keep::PutOff;
use super::{NEVER, Pending, Run, loader, loss_targets, phase_at, workers};
use crate::engine::{Kernels, Tensor};
use crate::net::{Graph, Net, ParamId, Params};
use crate::plan::{Group, PhasePlan, Plan};
use crate::regularize::Watch;
use crate::train::average::Average;
use crate::train::penalties::Penalties;
use crate::train::run_dir::remove;
use crate::train::so_far::SoFar;
use crate::train::start::Start;
use crate::train::state::{PhaseState, Stage};
use crate::train::{Event, TrainError, specs};
use std::collections::HashMap;
use std::sync::Arc;

/// What became of the tensors of a net that was built anew.
#[derive(Default)]
struct Rebuilt {
    kept: Option<usize>,
    initialised: Vec<String>,
    dropped: Vec<String>,
}

impl<D: Kernels> Run<'_, D> {
    /// A spec waits for its time; what of it are numbers holds from now on.
    pub(super) fn pending_is(&mut self, pending: Pending) {
        let before = Arc::clone(&self.job.plan);
        let mut plan = Plan::clone(&before);
        let new = &pending.plan;
        plan.spec.checkpoint = new.spec.checkpoint.clone();
        plan.spec.regularization.clip_grad_norm = new.spec.regularization.clip_grad_norm;
        plan.spec.regularization.clip_grad_value = new.spec.regularization.clip_grad_value;
        self.optimizer.set(&new.spec.schedule.optimizer);
        let place = pending.course.running;
        if let (Some(phase), Some(other)) =
            (plan.phases.get_mut(self.position.phase), place.and_then(|place| new.phases.get(place)))
        {
            retune(phase, &before.graph, other, &new.graph, pending.course.ends.is_some());
        }
        self.job.plan = Arc::new(plan);
        self.pending = Some(pending);
    }

    /// Between epochs, what waits comes into effect.
    pub(super) fn at_a_border(&mut self) -> Result<(), TrainError> {
        if !self.is_between_epochs() {
            return Ok(());
        }
        let Some(course) = self.pending.as_ref().map(|pending| pending.course.clone()) else { return Ok(()) };
        match (&self.stage, course.running, course.ends) {
            (Stage::Epoch, _, Some(reason)) => {
                self.stage = Stage::PhaseEnds { reason, and_run: false };
                Ok(())
            }
            (Stage::Epoch, Some(place), None) => self.take_over(place),
            (Stage::PhaseBegins, ..) => {
                if let Some(place) = course.next {
                    return self.take_over(place);
                }
                self.stage = Stage::Ending { reason: "the spec has no further phase".to_owned() };
                Ok(())
            }
            // When the phase has ended, or the head is fitted.
            _ => Ok(()),
        }
    }

    /// Goes to the phase after the one that has ended, by the spec that waits where one does; says whether there
    /// is one. At the end of the run nothing comes into effect any more.
    pub(super) fn go_to_next_phase(&mut self) -> Result<bool, TrainError> {
        let next = match &self.pending {
            Some(pending) => pending.course.next,
            None => Some(self.position.phase + 1).filter(|&next| next < self.job.plan.phases.len()),
        };
        let Some(next) = next else { return Ok(false) };
        self.stage = Stage::PhaseBegins;
        self.take_over(next)?;
        self.position.phase = next;
        Ok(true)
    }

    /// The spec that waits is the run's from now on; the run is at the phase at this place of it.
    fn take_over(&mut self, place: usize) -> Result<(), TrainError> {
        let Some(Pending { number, written, plan, rebuilds, .. }) = self.pending.take() else { return Ok(()) };
        let goes_on = matches!(self.stage, Stage::Epoch);
        if goes_on {
            self.still_frozen(phase_at(&Arc::clone(&self.job.plan), self.position.phase)?)?;
        }
        let rebuilt = if rebuilds { self.rebuild(&plan)? } else { Rebuilt::default() };
        self.job.plan = plan;
        self.job.fit_to_ranks();
        let plan = Arc::clone(&self.job.plan);
        (self.job.number, self.job.written) = (number, written);
        self.position.phase = place;
        self.set_up_again()?;
        if goes_on {
            let phase = phase_at(&plan, place)?;
            let steps = self.order().len().div_ceil(self.job.step_rows().max(1));
            self.position.step_in_phase = (self.position.epoch_in_phase * steps) as u64;
            self.so_far.state.frozen_hash = self.enter(phase)?;
        }
        if self.job.writes() {
            let path = self.job.dir.file("resolved.yaml");
            specs::put_in_effect(self.job.dir, number).map_err(TrainError::file(&path))?;
        }
        let Rebuilt { kept, initialised, dropped } = rebuilt;
        let (epoch, step) = (self.position.epoch, self.position.step);
        let epochs = plan.epochs();
        self.record(&Event::ReloadInEffect { number, epoch, step, epochs, kept, initialised, dropped })
    }

    /// Makes anew what is a function of the plan.
    fn set_up_again(&mut self) -> Result<(), TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let spec = &plan.spec;
        self.job.workers = workers(spec, &self.job.ranks);
        self.loader = loader(&self.job);
        self.targets = loss_targets(spec, &self.job.data);
        self.rule = spec.regularization.early_stopping.clone().unwrap_or(NEVER);
        self.average = Average::follow(self.average.take(), &spec.regularization, &self.net);
        let pulls = plan.penalties.iter().any(|penalty| penalty.to_start > 0.0);
        let start = if pulls { Start::of(&plan)?.params(self.device, &plan.graph)? } else { self.net.params.clone() };
        self.penalties = Penalties::new(&plan, &Net { graph: plan.graph.clone(), params: start });
        Ok(())
    }

    /// Goes over to the net of another plan. Tensors whose name and shape are in both are kept with what is
    /// remembered of them.
    fn rebuild(&mut self, plan: &Plan) -> Result<Rebuilt, TrainError> {
        let from = kept_tensors(&self.net.graph, &plan.graph);
        let fresh = from.iter().any(Option::is_none).then(|| Start::of(plan)).transpose()?;
        let mut tensors = Vec::with_capacity(from.len());
        let mut rebuilt = Rebuilt { kept: Some(from.iter().flatten().count()), ..Rebuilt::default() };
        for (id, (param, from)) in plan.graph.params.iter().zip(&from).enumerate() {
            match (from, &fresh) {
                (Some(from), _) => tensors.push(self.net.params.get(*from).clone()),
                (None, Some(start)) => {
                    rebuilt.initialised.push(param.name.clone());
                    tensors.push(Tensor::from_vec(self.device, start.values[id].clone(), &param.def.dims)?);
                }
                (None, None) => {}
            }
        }
        let lost = self.net.graph.params.iter().enumerate().filter(|(id, _)| !from.contains(&Some(*id)));
        rebuilt.dropped = lost.map(|(_, param)| param.name.clone()).collect();
        self.net = Net { graph: plan.graph.clone(), params: Params::new(tensors) };
        self.optimizer.go_over(&from);
        if let Some(average) = &mut self.average {
            average.go_over(&from, &self.net);
        }
        self.forget_best()?;
        Ok(rebuilt)
    }

    /// The best weights so far are of another net.
    fn forget_best(&mut self) -> Result<(), TrainError> {
        (self.best, self.watch) = (None, Watch::default());
        self.put_off = PutOff::default();
        let state = PhaseState { watch: Watch::default(), best: None, ..self.so_far.state.clone() };
        self.so_far = SoFar::resume(state, None);
        if !self.job.writes() {
            return Ok(());
        }
        let path = self.job.dir.best();
        remove(&path).map_err(TrainError::file(&path))
    }
}

/// By parameter of the new net: the one of the old that has its name and shape.
fn kept_tensors(old: &Graph, new: &Graph) -> Vec<Option<ParamId>> {
    let places: HashMap<&str, ParamId> =
        old.params.iter().enumerate().map(|(id, param)| (param.name.as_str(), id)).collect();
    let same = |param: &crate::net::Param| {
        let id = *places.get(param.name.as_str())?;
        (old.params[id].def.dims == param.def.dims).then_some(id)
    };
    new.params.iter().map(same).collect()
}

/// The phase that runs goes on by the numbers of another plan's. Where it ends with the epoch anyway, its
/// schedulers go on over the length that it had.
fn retune(phase: &mut PhasePlan, graph: &Graph, other: &PhasePlan, other_graph: &Graph, ends: bool) {
    if !ends {
        phase.epochs = other.epochs;
    }
    phase.until.clone_from(&other.until);
    phase.restore_best = other.restore_best;
    phase.scheduler = other.scheduler.clone();
    phase.warm_up.clone_from(&other.warm_up);
    phase.rewarm.clone_from(&other.rewarm);
    phase.clip_grad_norm = other.clip_grad_norm;
    phase.clip_grad_value = other.clip_grad_value;
    phase.groups = regrouped(&phase.groups, graph, &other.groups, other_graph);
}

/// The parameters of `groups`, in the groups that another plan has them in. What that plan does not have stays
/// in the group that it is in.
fn regrouped(groups: &[Group], graph: &Graph, others: &[Group], other_graph: &Graph) -> Vec<Group> {
    let mut left: Vec<Group> = groups.to_vec();
    let ids: HashMap<&str, ParamId> =
        groups.iter().flat_map(|group| &group.params).map(|&id| (graph.params[id].name.as_str(), id)).collect();
    let mut regrouped = Vec::new();
    for other in others {
        let of = |id: &ParamId| ids.get(other_graph.params[*id].name.as_str()).copied();
        let params: Vec<ParamId> = other.params.iter().filter_map(of).collect();
        for group in &mut left {
            group.params.retain(|id| !params.contains(id));
        }
        regrouped.push(Group { params, ..other.clone() });
    }
    left.retain(|group| !group.params.is_empty());
    regrouped.extend(left);
    regrouped
}
