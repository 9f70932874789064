//! `early_stopping`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stops when a metric no longer gets better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// What is watched.
    #[serde(default)]
    pub metric: Metric,
    /// Epochs without improvement after which training stops.
    pub patience: usize,
    /// The least change that counts as improvement.
    #[serde(default)]
    pub min_delta: f64,
    /// Whether the run ends with its best weights rather than its last.
    #[serde(default)]
    pub restore_best: bool,
}

/// A metric of an epoch that can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Loss on the validation split; lower is better.
    #[default]
    ValLoss,
    /// Accuracy on the validation split.
    ValAccuracy,
    /// Mean over classes of the accuracy on the validation split.
    ValBalancedAccuracy,
    /// Area under the ROC curve on the validation split, mean over classes.
    ValAuc,
    /// Loss on the training split; lower is better.
    TrainLoss,
}
