//! An entry of `schedule.phases`.

use super::check::{NOT_NEGATIVE, each, stages};
use super::{LearningRate, Path, PerGroup, Problem, Problems, Until, limits};
use crate::optim::{Rewarm, Scheduler, WarmUp};
use crate::regularize::{clip_grad_norm, clip_grad_value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A phase: for some epochs, some groups train and all else is frozen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The phase's name.
    pub name: String,
    /// How many epochs it lasts. A phase that ends by `until` may have `max_epochs` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// How many epochs it lasts at most, when it ends by `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_epochs: Option<usize>,
    /// Ends the phase by a metric, before its epochs are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Whether the next phase begins with the best weights of this one rather than its last. The metric
    /// is that of `until`, else that of `early_stopping`, else `val_loss`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restore_best: bool,
    /// What trains: stage names (`head`, `layer4`), all stages of a family (`blocks`), ranges
    /// (`blocks.13-15`), `re:...` for parameters in whose names a regular expression is found, or
    /// `"*"` for all that no other entry names. Each entry is a group; none may overlap another.
    /// What no entry names is frozen.
    pub train: Vec<String>,
    /// Learning rates: for all groups, by group, or falling from stage to stage.
    pub lr: LearningRate,
    /// How learning rates change over the phase's steps, in place of the schedule's `scheduler`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// Learning rates rise before the scheduler begins; in place of the schedule's `warm_up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// A warm-up of those groups alone that trained in the phase before too, in the place of `warm_up`: a number
    /// of epochs, or what `warm_up` takes. Groups that join begin as they would without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewarm: Option<Rewarm>,
    /// Whether the optimizer forgets all that it remembers when the phase begins. By default it goes on
    /// with the momentum or moments of parameters that trained in the phase before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reset_optimizer: bool,
    /// What batch norm does, for all groups or by group. By default `train` in groups that train
    /// and `frozen` elsewhere. Keys are patterns as in `train` and may name frozen parts too; a
    /// value for all, or for `"*"`, reaches frozen parts as well, but for `train`, which never
    /// makes a frozen part train.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<PerGroup<NormSetting>>,
    /// Weight decay for all groups or by group, in place of the optimizer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<PerGroup<f64>>,
    /// The greatest norm of the gradients, in place of regularization's `clip_grad_norm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    /// The greatest value of a gradient, in place of regularization's `clip_grad_value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_grad_value: Option<f64>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(value: &bool) -> bool {
    !value
}

/// What batch norm does in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormSetting {
    /// Running statistics are used; nothing of it changes.
    Frozen,
    /// The batch's statistics are used and the running ones follow; scale and shift are frozen.
    Statistics,
    /// The batch's statistics are used, the running ones follow, scale and shift train.
    Train,
}

impl Phase {
    /// A phase of so many epochs, all else as by default.
    pub fn new(name: impl Into<String>, epochs: usize, train: Vec<String>, lr: LearningRate) -> Self {
        Phase {
            name: name.into(),
            epochs: Some(epochs),
            max_epochs: None,
            until: None,
            restore_best: false,
            train,
            lr,
            scheduler: None,
            warm_up: None,
            rewarm: None,
            reset_optimizer: false,
            batch_norm: None,
            weight_decay: None,
            clip_grad_norm: None,
            clip_grad_value: None,
        }
    }

    /// How many epochs it lasts, at most.
    pub fn most_epochs(&self) -> usize {
        self.epochs.or(self.max_epochs).unwrap_or_default()
    }

    /// Notes all that is wrong with the phase in itself. `at` is where it stands in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        if self.name.trim().is_empty() {
            problems.push(Problem::new(at.key("name"), "the name is empty"));
        }
        self.check_length(at, problems);
        stages(problems, &at.key("train"), &self.train, "a phase needs something that trains");
        self.lr.check(&at.key("lr"), problems);
        if let Some(scheduler) = &self.scheduler {
            scheduler.check(&at.key("scheduler"), problems);
        }
        if let Some(warm_up) = &self.warm_up {
            self.check_warm_up(warm_up, &at.key("warm_up"), problems);
        }
        if let Some(Rewarm(rewarm)) = &self.rewarm {
            self.check_warm_up(rewarm, &at.key("rewarm"), problems);
        }
        if let Some(decay) = &self.weight_decay {
            each(problems, &at.key("weight_decay"), decay, NOT_NEGATIVE, "weight decay");
        }
        if let Some(norm) = self.clip_grad_norm {
            clip_grad_norm::check(norm, &at.key("clip_grad_norm"), problems);
        }
        if let Some(value) = self.clip_grad_value {
            clip_grad_value::check(value, &at.key("clip_grad_value"), problems);
        }
    }

    fn check_length(&self, at: &Path, problems: &mut Problems) {
        for (key, epochs) in [("epochs", self.epochs), ("max_epochs", self.max_epochs)] {
            if let Some(epochs) = epochs {
                limits::epochs(problems, at.key(key), epochs);
            }
        }
        if let Some(until) = &self.until {
            until.check(&at.key("until"), problems);
        }
        let given = (self.epochs, self.max_epochs, &self.until);
        match given {
            (Some(_), Some(_), _) => problems.push(
                Problem::new(at.key("max_epochs"), "the number of epochs is given twice: `epochs` and `max_epochs`")
                    .at_key()
                    .help("keep one of them: with `until`, either is the most that there are"),
            ),
            (None, None, Some(_)) => problems.push(
                Problem::new(
                    at.key("until"),
                    "a phase that ends by a metric needs `max_epochs`, in case it never does",
                )
                .at_key()
                .help("add `max_epochs: 20`"),
            ),
            (None, None, None) => problems.push(
                Problem::new(at.clone(), "a phase needs `epochs`")
                    .help("add `epochs: 4`; a phase that ends by `until` may have `max_epochs` instead"),
            ),
            (None, Some(_), None) => problems.push(
                Problem::new(at.key("max_epochs"), "`max_epochs` goes with `until`, and there is none")
                    .at_key()
                    .help("write `epochs`, or say `until` when it ends before"),
            ),
            _ => {}
        }
    }

    fn check_warm_up(&self, warm_up: &WarmUp, at: &Path, problems: &mut Problems) {
        let before = problems.0.len();
        warm_up.check(at, problems);
        let (epochs, most) = (warm_up.epochs.unwrap_or_default(), self.most_epochs());
        if problems.0.len() == before && most > 0 && epochs >= most as f64 {
            let message = format!("the warm-up takes all of the phase's epochs: {epochs} of {most}");
            problems.push(Problem::new(at.key("epochs"), message).help("give it fewer, or the phase more"));
        }
    }
}
