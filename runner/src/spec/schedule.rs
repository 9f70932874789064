//! `schedule:` in a spec.

use super::{LearningRate, PerGroup};
use crate::optim::Optimizer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The optimizer and the phases. Either `phases` or a shorthand that the plan expands into phases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The optimizer.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// The phases, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Vec<Phase>>,
    /// Shorthand: one more stage trains every few epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradual_unfreeze: Option<GradualUnfreeze>,
}

/// A phase: for some epochs, some groups train and all else is frozen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The phase's name.
    pub name: String,
    /// How many epochs it lasts.
    pub epochs: usize,
    /// What trains: stage names (`head`, `layer4`), all stages of a family (`blocks`), ranges
    /// (`blocks.13-15`), `re:...` for parameters in whose names a regular expression is found, or
    /// `"*"` for all that no other entry names. Each entry is a group; none may overlap another.
    /// What no entry names is frozen.
    pub train: Vec<String>,
    /// Learning rates: for all groups, by group, or falling from stage to stage.
    pub lr: LearningRate,
    /// What batch norm does, for all groups or by group. By default `train` in groups that train
    /// and `frozen` elsewhere. Keys are patterns as in `train` and may name frozen parts too; a
    /// value for all, or for `"*"`, reaches frozen parts as well, but for `train`, which never
    /// makes a frozen part train.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<PerGroup<NormSetting>>,
    /// Weight decay for all groups or by group, in place of the optimizer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<PerGroup<f64>>,
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

/// One more stage trains every few epochs, from the head down (Howard and Ruder 2018).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GradualUnfreeze {
    /// Epochs from one stage to the next.
    pub every: usize,
    /// The stages, in the order in which they begin to train.
    pub stages: Vec<String>,
    /// Learning rate of the first stage.
    pub lr: f64,
    /// Each further stage has its predecessor's learning rate divided by this.
    #[serde(default = "GradualUnfreeze::default_decay")]
    pub decay: f64,
}

impl GradualUnfreeze {
    fn default_decay() -> f64 {
        2.6
    }
}
