//! `one_cycle`.

use super::Clock;
use crate::spec::check::{POSITIVE, finite, range};
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;

/// Learning rates rise along half a cosine to `lr`, then fall along another (Smith and Topin 2018), as
/// torch's `OneCycleLR` with `cycle_momentum=False`, and as fastai's.
///
/// `scheduler: { one_cycle: { rise: 0.3 } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OneCycle {
    /// Share of the phase in which they rise (`pct_start` of torch and fastai).
    pub rise: f64,
    /// Where they begin, as a share of `lr`: 1 / 25 by default (1 / `div_factor` of torch).
    pub start: f64,
    /// Where they end, as a share of `lr`: 1 / 250,000 by default.
    pub end: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        OneCycle { rise: 0.3, start: 0.04, end: 4e-6 }
    }
}

impl OneCycle {
    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("rise"), &self.rise, 0.0..=1.0, "a share of the phase");
        finite(problems, at.key("start"), self.start, POSITIVE, "a share of the learning rate");
        finite(problems, at.key("end"), self.end, POSITIVE, "a share of the learning rate");
    }

    /// From `start` to 1 in the first `rise` of the steps, then to `end` in the last step.
    pub fn factor(&self, clock: Clock) -> f64 {
        let last = clock.steps.saturating_sub(1) as f64;
        let top = (self.rise * clock.steps as f64 - 1.0).clamp(0.0, last);
        let step = (clock.step as f64).min(last);
        if step < top {
            along(self.start, 1.0, step / top)
        } else if last > top {
            along(1.0, self.end, (step - top) / (last - top))
        } else {
            1.0
        }
    }
}

/// Half a cosine from one value to another.
fn along(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * share).cos()) / 2.0
}

impl fmt::Display for OneCycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one cycle from {} to {}, rising for {} of it", self.start, self.end, self.rise)
    }
}
