//! `exponential`.

use super::Clock;
use crate::spec::check::{POSITIVE, finite};
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Learning rates fall by the same factor in every epoch, a little in every step: at the end of an
/// epoch they are where torch's `ExponentialLR` puts them.
///
/// `scheduler: { exponential: { factor: 0.9 } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// What they are multiplied by over an epoch.
    pub factor: f64,
}

impl Exponential {
    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        finite(problems, at.key("factor"), self.factor, POSITIVE, "the factor");
    }

    /// `factor` to the power of the epochs so far, with their fraction.
    pub fn factor(&self, clock: Clock) -> f64 {
        self.factor.powf(clock.epochs())
    }
}

impl fmt::Display for Exponential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "times {} an epoch", self.factor)
    }
}
