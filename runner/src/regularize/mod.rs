//! Regularizers that are no layers: one file each.

pub mod early_stopping;

pub use early_stopping::EarlyStopping;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps the net from overfitting, besides layers and augmentation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Regularization {
    /// Share of the target's probability spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Stops when a metric no longer gets better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Gradients are scaled down to this norm over all that trains (Pascanu et al. 2013).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    /// Every gradient value is cut to plus or minus this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_value: Option<f64>,
    /// Weights of the classes in the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
}

/// Weights of the classes in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// Inverse to each class's share of the training samples.
    Balanced,
}
