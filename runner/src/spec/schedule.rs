//! `schedule:` in a spec.

use super::draft::{Draft, Place};
use super::shorthand::{
    Basis, FineTune, FreezeTo, FrozenStages, GradualUnfreeze, Layerwise, LinearProbeThenFineTune, ProgressiveFreezing,
    UnfreezeAt,
};
use super::{LearningRate, Path, Phase, Problem, Problems, limits};
use crate::optim::{Optimizer, Scheduler, WarmUp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The optimizer and the phases. Either `phases` or one shorthand that the plan writes out as phases.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The optimizer.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// How learning rates change over the steps of each phase, where the phase does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// Learning rates rise at the beginning of each phase, where the phase does not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// The phases, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Vec<Phase>>,
    /// Epochs in all, for `unfreeze_at`, `freeze_to` and `frozen_stages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Learning rates, for `unfreeze_at`, `freeze_to` and `frozen_stages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<LearningRate>,
    /// Shorthand: one more stage trains every few epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradual_unfreeze: Option<GradualUnfreeze>,
    /// Shorthand: the head trains, and stages join at given epochs: `{ 3: layer4, 5: layer3 }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfreeze_at: Option<UnfreezeAt>,
    /// Shorthand: stages before this one are frozen; `-2` trains the last two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_to: Option<FreezeTo>,
    /// Shorthand: the first so many stages are frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_stages: Option<FrozenStages>,
    /// Shorthand: the head alone, then all with discriminative rates, as fastai's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fine_tune: Option<FineTune>,
    /// Shorthand: the head alone to its best weights, then all from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_probe_then_fine_tune: Option<LinearProbeThenFineTune>,
    /// Shorthand: all trains, and one more stage freezes every few epochs, from the image up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progressive_freezing: Option<ProgressiveFreezing>,
    /// Shorthand: groups of stages train one after the other, from the image up, each with a head of its
    /// own and nothing above it computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layerwise: Option<Layerwise>,
}

impl Schedule {
    /// Whether nothing of it is written.
    pub fn is_absent(&self) -> bool {
        *self == Schedule::default()
    }

    /// The keys of the ways to give phases, and whether each is there.
    fn forms(&self) -> [(&'static str, bool); 9] {
        [
            ("phases", self.phases.is_some()),
            ("gradual_unfreeze", self.gradual_unfreeze.is_some()),
            ("unfreeze_at", self.unfreeze_at.is_some()),
            ("freeze_to", self.freeze_to.is_some()),
            ("frozen_stages", self.frozen_stages.is_some()),
            ("fine_tune", self.fine_tune.is_some()),
            ("linear_probe_then_fine_tune", self.linear_probe_then_fine_tune.is_some()),
            ("progressive_freezing", self.progressive_freezing.is_some()),
            ("layerwise", self.layerwise.is_some()),
        ]
    }

    /// Notes all that is wrong with how the phases are given, but for `phases` themselves.
    pub fn check_forms(&self, at: &Path, problems: &mut Problems) {
        let given: Vec<&str> = self.forms().into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
        if let [first, second, ..] = given.as_slice() {
            let message = format!("the phases are given twice: `{first}` and `{second}`");
            problems.push(Problem::new(at.key(*second), message).at_key().help("keep one of them"));
        }
        if given.is_empty() {
            let message =
                "the phases are missing: neither `phases` nor a shorthand such as `gradual_unfreeze` is given";
            problems.push(
                Problem::new(at.clone(), message)
                    .help("a phase is `{ name: head, epochs: 4, train: [head], lr: 1e-3 }`"),
            );
        }
        self.check_basis(&given, at, problems);
        self.check_shorthands(at, problems);
    }

    /// `epochs` and `lr` are there for the shorthands that need them, and for no others.
    fn check_basis(&self, given: &[&str], at: &Path, problems: &mut Problems) {
        let needs = given.iter().find(|key| ["unfreeze_at", "freeze_to", "frozen_stages"].contains(key));
        for (key, there, example) in [("epochs", self.epochs.is_some(), "10"), ("lr", self.lr.is_some(), "1e-3")] {
            match needs {
                Some(form) if !there => {
                    let problem = Problem::new(at.key(*form), format!("`{form}` needs `{key}` beside it"));
                    problems.push(problem.at_key().help(format!("add `{key}: {example}`")));
                }
                None if there => {
                    let message = format!("`{key}` goes with `unfreeze_at`, `freeze_to` or `frozen_stages`");
                    problems.push(Problem::new(at.key(key), message).at_key().help("phases have their own"));
                }
                _ => {}
            }
        }
        if let Some(epochs) = self.epochs {
            limits::epochs(problems, at.key("epochs"), epochs);
        }
        if let Some(lr) = &self.lr {
            lr.check(&at.key("lr"), problems);
        }
    }

    fn check_shorthands(&self, at: &Path, problems: &mut Problems) {
        if let Some(gradual) = &self.gradual_unfreeze {
            gradual.check(&at.key("gradual_unfreeze"), problems);
        }
        if let Some(joining) = &self.unfreeze_at {
            joining.check(&at.key("unfreeze_at"), self.epochs, problems);
        }
        if let Some(fine_tune) = &self.fine_tune {
            fine_tune.check(&at.key("fine_tune"), problems);
        }
        if let Some(probe) = &self.linear_probe_then_fine_tune {
            probe.check(&at.key("linear_probe_then_fine_tune"), problems);
        }
        if let Some(freezing) = &self.progressive_freezing {
            freezing.check(&at.key("progressive_freezing"), problems);
        }
        if let Some(layerwise) = &self.layerwise {
            layerwise.check(&at.key("layerwise"), problems);
        }
    }

    /// The phases that it means in a net with these stages, in order: a pure function of both. `stages`
    /// are those with parameters, from the image to the output.
    pub fn drafts(&self, stages: &[&str], problems: &mut Problems) -> Vec<Draft> {
        let at = Path::of("schedule");
        if !self.can_be_written_out(stages, problems) {
            return Vec::new();
        }
        let written = self.phases.iter().flatten().enumerate().map(|(index, phase)| Draft {
            phase: phase.clone(),
            at: Place::written(&at.key("phases").index(index), phase.train.len()),
        });
        let mut drafts: Vec<Draft> = written.collect();
        if let Some(gradual) = &self.gradual_unfreeze {
            drafts.extend(gradual.drafts(stages, &at.key("gradual_unfreeze")));
        }
        if let (Some(epochs), Some(lr)) = (self.epochs, &self.lr) {
            drafts.extend(self.on_basis(Basis { epochs, lr }, stages, &at, problems));
        }
        if let Some(fine_tune) = &self.fine_tune {
            let own = fine_tune.drafts(stages, &at.key("fine_tune")).into_iter();
            // The cycles of fastai are defaults: what the spec says comes first.
            drafts.extend(own.map(|mut draft| {
                draft.phase.scheduler = self.scheduler.clone().or(draft.phase.scheduler);
                draft
            }));
        }
        if let Some(probe) = &self.linear_probe_then_fine_tune {
            drafts.extend(probe.drafts(stages, &at.key("linear_probe_then_fine_tune")));
        }
        if let Some(freezing) = &self.progressive_freezing {
            drafts.extend(freezing.drafts(stages, &at.key("progressive_freezing"), problems));
        }
        if let Some(layerwise) = &self.layerwise {
            drafts.extend(layerwise.drafts(stages, &at.key("layerwise"), problems));
        }
        drafts.into_iter().map(|draft| self.with_defaults(draft)).collect()
    }

    /// Notes a net of more stages than a shorthand is written out for; whether it is not.
    fn can_be_written_out(&self, stages: &[&str], problems: &mut Problems) -> bool {
        let most = limits::STAGES;
        if self.phases.is_some() || self.is_absent() || stages.len() <= most {
            return true;
        }
        let message = format!("the net has {} stages, and shorthands are for nets of {most} at most", stages.len());
        problems.push(Problem::new(self.place_of(0), message).at_key().help("write `phases`"));
        false
    }

    /// The phases of the shorthands that go with `epochs` and `lr`.
    fn on_basis(&self, basis: Basis<'_>, stages: &[&str], at: &Path, problems: &mut Problems) -> Vec<Draft> {
        let joining = self.unfreeze_at.iter().flat_map(|joining| joining.drafts(stages, basis, at));
        let mut drafts: Vec<Draft> = joining.collect();
        if let Some(freeze_to) = self.freeze_to {
            drafts.extend(freeze_to.drafts(stages, basis, at, problems));
        }
        if let Some(frozen) = self.frozen_stages {
            drafts.extend(frozen.drafts(stages, basis, at, problems));
        }
        drafts
    }

    /// Where the phase at this place of the plan stands in the spec: as an entry of `phases`, or as a part
    /// of a shorthand.
    pub fn place_of(&self, phase: usize) -> Path {
        let at = Path::of("schedule");
        match self.forms().into_iter().find(|(_, given)| *given) {
            Some(("phases", _)) => at.key("phases").index(phase),
            Some((shorthand, _)) => at.key(shorthand),
            None => at,
        }
    }

    /// The schedule's scheduler and warm-up where the phase has none of its own.
    fn with_defaults(&self, mut draft: Draft) -> Draft {
        let Phase { scheduler, warm_up, .. } = &mut draft.phase;
        *scheduler = scheduler.take().or_else(|| self.scheduler.clone());
        *warm_up = warm_up.take().or_else(|| self.warm_up.clone());
        draft
    }
}

#[cfg(test)]
mod tests {
    use super::super::shorthand::testing::{phases, schedule};
    use super::*;

    fn problems(yaml: &str) -> Vec<String> {
        let mut problems = Problems::default();
        schedule(yaml).check_forms(&Path::of("schedule"), &mut problems);
        problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn the_default_is_what_is_not_written() {
        assert_eq!(schedule("{}"), Schedule::default());
    }

    #[test]
    fn there_is_one_way_to_give_the_phases() {
        assert_eq!(
            problems("{ fine_tune: { epochs: 1, lr: 1 }, freeze_to: -1, epochs: 1, lr: 1 }"),
            ["schedule.fine_tune: the phases are given twice: `freeze_to` and `fine_tune`"]
        );
        assert_eq!(problems("{}").len(), 1);
    }

    #[test]
    fn epochs_and_lr_go_with_what_has_none_of_its_own() {
        assert_eq!(problems("{ freeze_to: -1, epochs: 3, lr: { head: 1 } }"), Vec::<String>::new());
        assert_eq!(
            problems("{ frozen_stages: 1 }"),
            [
                "schedule.frozen_stages: `frozen_stages` needs `epochs` beside it",
                "schedule.frozen_stages: `frozen_stages` needs `lr` beside it"
            ]
        );
        assert_eq!(
            problems("{ fine_tune: { epochs: 1, lr: 1 }, lr: 1 }"),
            ["schedule.lr: `lr` goes with `unfreeze_at`, `freeze_to` or `frozen_stages`"]
        );
        assert_eq!(
            problems("{ freeze_to: -1, epochs: 0, lr: -1 }"),
            [
                "schedule.epochs: the number of epochs must be at least 1, found 0",
                "schedule.lr: a learning rate must be more than 0, found -1"
            ]
        );
    }

    #[test]
    fn every_argument_of_a_shorthand_has_its_bounds() {
        for (yaml, keys) in [
            (
                "gradual_unfreeze: { every: 0, stages: [head, head], lr: -1, decay: 0 }",
                ["every", "stages.1", "lr", "decay"],
            ),
            (
                "fine_tune: { frozen_epochs: 0, epochs: 0, lr: 0, lr_mult: 0 }",
                ["frozen_epochs", "epochs", "lr", "lr_mult"],
            ),
            (
                "linear_probe_then_fine_tune: { probe_epochs: 0, probe_lr: 0, epochs: 0, lr: 0 }",
                ["probe_epochs", "probe_lr", "epochs", "lr"],
            ),
            ("progressive_freezing: { first: 0, every: 0, stages: [], lr: 0 }", ["first", "every", "stages", "lr"]),
            ("layerwise: { group_size: 0, epochs: 0, stages: [], lr: 0 }", ["group_size", "epochs", "stages", "lr"]),
        ] {
            let (form, _) = yaml.split_once(':').unwrap();
            let found = problems(yaml);
            assert_eq!(found.len(), 4, "{found:?}");
            for (found, key) in found.iter().zip(keys) {
                assert!(found.starts_with(&format!("schedule.{form}.{key}: ")), "{found}");
            }
        }
    }

    #[test]
    fn phases_have_the_schedules_scheduler_where_they_have_none() {
        let (phases, _) = phases(
            "
            scheduler: cosine
            warm_up: { steps: 3 }
            phases:
              - { name: a, epochs: 1, train: [head], lr: 1 }
              - { name: b, epochs: 1, train: [head], lr: 1, scheduler: constant, warm_up: { steps: 5 } }
            ",
        );
        let told: Vec<(bool, Option<u64>)> = phases
            .iter()
            .map(|phase| {
                let cosine = matches!(phase.scheduler, Some(Scheduler::Cosine(_)));
                (cosine, phase.warm_up.as_ref().and_then(|warm_up| warm_up.steps))
            })
            .collect();
        assert_eq!(told, [(true, Some(3)), (false, Some(5))]);
    }
}
