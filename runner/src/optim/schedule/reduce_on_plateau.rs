//! `reduce_on_plateau`.

use crate::regularize::{EarlyStopping, History, Metric, Verdict, Watch};
use crate::spec::check::{POSITIVE, range};
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Learning rates fall by a factor when a metric has not got better for some epochs, as Keras'
/// `ReduceLROnPlateau`. (torch's waits one epoch more than its `patience`.)
///
/// `scheduler: { reduce_on_plateau: { metric: val_loss, factor: 0.5, patience: 3, min: 0.01 } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReduceOnPlateau {
    /// What is watched.
    pub metric: Metric,
    /// What they are multiplied by, above 0 and below 1.
    pub factor: f64,
    /// Epochs in a row without improvement after which they fall, at least 1.
    pub patience: usize,
    /// The least change that counts as improvement, at least 0.
    pub min_delta: f64,
    /// Where they stop falling, as a share of what they were.
    pub min: f64,
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        ReduceOnPlateau { metric: Metric::ValLoss, factor: 0.1, patience: 3, min_delta: 0.0, min: 0.0 }
    }
}

impl ReduceOnPlateau {
    fn rule(&self) -> EarlyStopping {
        EarlyStopping { metric: self.metric, patience: self.patience, min_delta: self.min_delta, restore_best: false }
    }

    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("factor"), &self.factor, (POSITIVE.0, std::ops::Bound::Excluded(1.0)), "the factor");
        range(problems, at.key("patience"), &self.patience, 1.., "the number of epochs");
        range(problems, at.key("min_delta"), &self.min_delta, 0.0.., "the least change");
        range(problems, at.key("min"), &self.min, 0.0..=1.0, "a share of the learning rate");
    }

    /// `factor` to the power of the plateaus so far, `min` at least.
    pub fn factor(&self, history: &History) -> f64 {
        let (mut watch, rule) = (Watch::default(), self.rule());
        let mut falls = 0;
        for (epoch, value) in history.values(self.metric).enumerate() {
            if let Verdict::Stop(_) = watch.see(&rule, epoch, value) {
                falls += 1;
                watch.waited = 0;
            }
        }
        self.factor.powi(falls).max(self.min)
    }
}

impl fmt::Display for ReduceOnPlateau {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReduceOnPlateau { metric, factor, patience, .. } = self;
        let s = if *patience == 1 { "" } else { "s" };
        write!(f, "times {factor} when {} has not improved for {patience} epoch{s}", metric.name())
    }
}
