//! What the epochs of a phase came to. Schedulers and phase ends are functions of it.

use super::Metric;
use serde::{Deserialize, Serialize};

/// The metrics of a phase's epochs, in order. Part of a checkpoint, so that a resumed run decides as
/// the run that was interrupted would have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    epochs: Vec<Measured>,
}

/// The metrics of an epoch; one that is none or not a number was not measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Loss on the validation split.
    pub val_loss: Option<f64>,
    /// Accuracy on the validation split.
    pub val_accuracy: Option<f64>,
    /// Mean over classes of the accuracy on the validation split.
    pub val_balanced_accuracy: Option<f64>,
    /// Area under the ROC curve on the validation split.
    pub val_auc: Option<f64>,
    /// Loss on the training split.
    pub train_loss: Option<f64>,
}

impl Measured {
    /// The value of a metric; NaN where it was not measured.
    pub fn get(&self, metric: Metric) -> f64 {
        let value = match metric {
            Metric::ValLoss => self.val_loss,
            Metric::ValAccuracy => self.val_accuracy,
            Metric::ValBalancedAccuracy => self.val_balanced_accuracy,
            Metric::ValAuc => self.val_auc,
            Metric::TrainLoss => self.train_loss,
        };
        value.unwrap_or(f64::NAN)
    }
}

impl History {
    /// Adds an epoch.
    pub fn push(&mut self, epoch: Measured) {
        self.epochs.push(epoch);
    }

    /// The value of a metric in each epoch; NaN where it was not measured.
    pub fn values(&self, metric: Metric) -> impl Iterator<Item = f64> + '_ {
        self.epochs.iter().map(move |epoch| epoch.get(metric))
    }

    /// How many epochs there are.
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }
}
