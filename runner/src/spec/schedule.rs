//! `schedule:` in a spec.

use super::Phase;
use crate::optim::{Optimizer, Scheduler, WarmUp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The optimizer and the phases. Either `phases` or a shorthand that the plan expands into phases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Shorthand: one more stage trains every few epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradual_unfreeze: Option<GradualUnfreeze>,
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
