//! What an epoch comes to: its means, its learning rates, the watched metric.

use super::exact;
use super::factors::Factors;
use super::gradients;
use super::step::StepReport;
use crate::metrics::Scores;
use crate::plan::PhasePlan;
use crate::regularize::{Measured, Metric};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Sums over an epoch, and in the end means.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// Images trained on.
    pub images: usize,
    /// Loss.
    #[serde(with = "exact::number")]
    pub loss: f64,
    /// Accuracy.
    #[serde(with = "exact::number")]
    pub accuracy: f64,
    /// The largest norm of all gradients of a step.
    #[serde(with = "exact::number")]
    pub largest_gradient: f64,
    /// The scheduler's factors in the last step.
    pub factors: Factors,
}

impl Trained {
    /// Adds a step over so many images.
    pub fn add(&mut self, report: &StepReport, images: usize) {
        self.images += images;
        self.loss += f64::from(report.loss) * images as f64;
        self.accuracy += report.correct as f64;
        self.largest_gradient = self.largest_gradient.max(gradients::total(&report.gradient_norms));
    }

    /// Sums become means.
    #[must_use]
    pub fn means(mut self) -> Self {
        let images = self.images.max(1) as f64;
        self.loss /= images;
        self.accuracy /= images;
        self
    }
}

/// The learning rate of each group of a phase, where the scheduler gives these factors.
pub fn rates(phase: &PhasePlan, factors: impl Into<Factors>) -> IndexMap<String, f64> {
    let factors = factors.into();
    phase.groups.iter().map(|group| (group.name.clone(), group.lr * factors.of_group(group))).collect()
}

/// All that can be watched of an epoch.
pub fn measured(trained: &Trained, val: Option<&Scores>) -> Measured {
    let value = |metric| Some(watched(metric, trained, val)).filter(|value| value.is_finite());
    Measured {
        val_loss: value(Metric::ValLoss),
        val_accuracy: value(Metric::ValAccuracy),
        val_balanced_accuracy: value(Metric::ValBalancedAccuracy),
        val_auc: value(Metric::ValAuc),
        train_loss: value(Metric::TrainLoss),
    }
}

/// The value of the watched metric; the training loss where there is no validation split.
pub fn watched(metric: Metric, trained: &Trained, val: Option<&Scores>) -> f64 {
    match (metric, val) {
        (Metric::ValLoss, Some(val)) => val.loss,
        (Metric::ValAccuracy, Some(val)) => val.accuracy.unwrap_or(f64::NAN),
        (Metric::ValBalancedAccuracy, Some(val)) => val.balanced_accuracy.unwrap_or(f64::NAN),
        (Metric::ValAuc, Some(val)) => val.auc.unwrap_or(0.5),
        (Metric::TrainLoss, _) | (_, None) => trained.loss,
    }
}

/// The group with the largest of these gradient norms, for a person.
pub fn largest_group(phase: &PhasePlan, norms: &[f64]) -> String {
    let largest = phase.groups.iter().zip(norms).max_by(|a, b| a.1.total_cmp(b.1));
    match largest {
        Some((group, norm)) => {
            format!("in the step before, group `{}` had the largest gradient (norm {norm:.3e})", group.name)
        }
        None => "it was the first step of its epoch".to_owned(),
    }
}
