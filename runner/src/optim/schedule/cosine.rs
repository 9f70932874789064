//! `cosine`.

use super::Clock;
use crate::spec::check::range;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;

/// Learning rates fall along half a cosine over the phase, or over several equal parts of it
/// (Loshchilov and Hutter 2017), as torch's `CosineAnnealingLR` and `CosineAnnealingWarmRestarts`.
///
/// `scheduler: { cosine: { min: 0.01, restarts: 2 } }`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cosine {
    /// Where they fall to, as a share of what they were.
    pub min: f64,
    /// How many times they begin anew.
    pub restarts: u32,
}

impl Cosine {
    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("min"), &self.min, 0.0..=1.0, "a share of the learning rate");
        range(problems, at.key("restarts"), &self.restarts, 0..=10_000, "the number of restarts");
    }

    /// `min + (1 - min) (1 + cos(pi t)) / 2`, where `t` goes from 0 to 1 in each part.
    pub fn factor(&self, clock: Clock) -> f64 {
        let steps = clock.steps.max(1);
        // In whole numbers, so that a part begins at its very first step.
        let within = if clock.step >= steps { steps } else { clock.step * (u64::from(self.restarts) + 1) % steps };
        let share = within as f64 / steps as f64;
        self.min + (1.0 - self.min) * (1.0 + (PI * share).cos()) / 2.0
    }
}

impl fmt::Display for Cosine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cosine to {}", self.min)?;
        match self.restarts {
            0 => Ok(()),
            1 => f.write_str(" with 1 restart"),
            restarts => write!(f, " with {restarts} restarts"),
        }
    }
}
