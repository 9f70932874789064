//! `warm_up`.

use crate::spec::check::{POSITIVE, finite, range};
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Learning rates rise in a straight line before the scheduler begins (Goyal et al. 2017), as torch's
/// `LinearLR`. The scheduler has the steps that are left.
///
/// `warm_up: { epochs: 1, from: 0.01 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// How many epochs it takes; it may be half of one. Either this or `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// How many steps it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Where they begin, as a share of `lr`.
    #[serde(default = "WarmUp::default_from")]
    pub from: f64,
}

impl WarmUp {
    pub(super) fn default_from() -> f64 {
        0.01
    }

    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("from"), &self.from, 0.0..=1.0, "a share of the learning rate");
        match (self.epochs, self.steps) {
            (Some(_), Some(_)) => problems.push(
                Problem::new(at.key("steps"), "its length is given twice: `epochs` and `steps`")
                    .at_key()
                    .help("keep one of them"),
            ),
            (None, None) => problems.push(
                Problem::new(at.clone(), "a warm-up needs a length").help("`{ epochs: 1 }`, or `{ steps: 100 }`"),
            ),
            (Some(epochs), None) => finite(problems, at.key("epochs"), epochs, POSITIVE, "the number of epochs"),
            (None, Some(steps)) => range(problems, at.key("steps"), &steps, 1.., "the number of steps"),
        }
    }

    /// Its length in steps.
    pub fn length(&self, steps_per_epoch: u64) -> u64 {
        let by_epochs = |epochs: f64| (epochs * steps_per_epoch as f64).round() as u64;
        self.steps.or(self.epochs.map(by_epochs)).unwrap_or_default()
    }

    /// What learning rates are multiplied by in a step of a warm-up of `length` steps: from `from`
    /// towards 1, which the step after the warm-up has.
    pub fn factor(&self, step: u64, length: u64) -> f64 {
        self.from + (1.0 - self.from) * step as f64 / length.max(1) as f64
    }
}

impl fmt::Display for WarmUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.epochs, self.steps) {
            (Some(1.0), _) => f.write_str("a warm-up of 1 epoch"),
            (Some(epochs), _) => write!(f, "a warm-up of {epochs} epochs"),
            (None, steps) => write!(f, "a warm-up of {} steps", steps.unwrap_or_default()),
        }
    }
}
