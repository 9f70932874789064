//! `step`.

use super::Clock;
use crate::spec::check::{POSITIVE, finite, range};
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Learning rates fall by a factor every few epochs, as torch's `StepLR`.
///
/// `scheduler: { step: { every: 5, factor: 0.1 } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDecay {
    /// Epochs from one fall to the next.
    pub every: u64,
    /// What they are multiplied by.
    #[serde(default = "StepDecay::default_factor")]
    pub factor: f64,
}

impl StepDecay {
    fn default_factor() -> f64 {
        0.1
    }

    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("every"), &self.every, 1.., "the number of epochs");
        finite(problems, at.key("factor"), self.factor, POSITIVE, "the factor");
    }

    /// `factor` to the power of the falls so far.
    pub fn factor(&self, clock: Clock) -> f64 {
        let falls = clock.step / self.every.saturating_mul(clock.steps_per_epoch).max(1);
        self.factor.powi(i32::try_from(falls).unwrap_or(i32::MAX))
    }
}

impl fmt::Display for StepDecay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "times {} every {} epochs", self.factor, self.every)
    }
}
