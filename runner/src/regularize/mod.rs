//! Regularizers that are no layers: one file each.

pub mod class_weights;
pub mod clip_grad_norm;
pub mod clip_grad_value;
pub mod early_stopping;
pub mod history;
pub mod label_smoothing;
pub mod targets;

pub use class_weights::ClassWeights;
pub use early_stopping::{EarlyStopping, Metric, Verdict, Watch};
pub use history::{History, Measured};
pub use targets::LossTargets;

use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps the net from overfitting, besides layers and augmentation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Regularization {
    /// Share of each target's probability that is spread evenly over all classes, in [0, 1)
    /// (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Stops when a metric no longer gets better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Gradients are scaled down so that their Euclidean norm over all that trains is at most this
    /// (Pascanu et al. 2013). As torch's `clip_grad_norm_`. Clipping by norm comes before clipping
    /// by value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    /// Every gradient value is cut to plus or minus this. As torch's `clip_grad_value_`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_value: Option<f64>,
    /// Weights of the classes in the loss: `balanced`, or a map from class to weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
}

impl Regularization {
    /// Notes every argument that is out of range. `at` is where this part stands in the spec. Class
    /// weights are checked on their own, against the data's classes.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        label_smoothing::check(self.label_smoothing, &at.key("label_smoothing"), problems);
        if let Some(early_stopping) = &self.early_stopping {
            early_stopping.check(&at.key("early_stopping"), problems);
        }
        if let Some(max_norm) = self.clip_grad_norm {
            clip_grad_norm::check(max_norm, &at.key("clip_grad_norm"), problems);
        }
        if let Some(limit) = self.clip_grad_value {
            clip_grad_value::check(limit, &at.key("clip_grad_value"), problems);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_value_is_noted_at_its_key() {
        let yaml = "{ label_smoothing: 1.0, clip_grad_norm: 0, clip_grad_value: -1, \
                    early_stopping: { patience: 0, min_delta: -1 } }";
        let regularization: Regularization = serde_yaml::from_str(yaml).unwrap();
        let mut problems = Problems::default();
        regularization.check(&Path::of("regularization"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        let expected = [
            "label_smoothing",
            "early_stopping.patience",
            "early_stopping.min_delta",
            "clip_grad_norm",
            "clip_grad_value",
        ];
        assert_eq!(paths, expected.map(|key| format!("regularization.{key}")));

        let mut problems = Problems::default();
        Regularization::default().check(&Path::of("regularization"), &mut problems);
        assert_eq!(problems, Problems::default());
    }
}
