//! `polynomial`.

use super::Clock;
use crate::spec::check::{POSITIVE, finite, range};
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Learning rates fall along a power of what is left of the phase, as torch's `PolynomialLR`; with
/// `power: 1`, the default, in a straight line.
///
/// `scheduler: { polynomial: { power: 0.9, end: 0.01 } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Polynomial {
    /// The power, above 0.
    pub power: f64,
    /// Where they end, as a share of what they were.
    pub end: f64,
}

impl Default for Polynomial {
    fn default() -> Self {
        Polynomial { power: 1.0, end: 0.0 }
    }
}

impl Polynomial {
    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        finite(problems, at.key("power"), self.power, POSITIVE, "the power");
        range(problems, at.key("end"), &self.end, 0.0..=1.0, "a share of the learning rate");
    }

    /// `end + (1 - end) (1 - t)^power`, where `t` goes from 0 to 1 over the phase.
    pub fn factor(&self, clock: Clock) -> f64 {
        self.end + (1.0 - self.end) * (1.0 - clock.share()).powf(self.power)
    }
}

impl fmt::Display for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "polynomial of power {} to {}", self.power, self.end)
    }
}
