//! `adamw`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as torch's `AdamW`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdamW {
    /// Decay rates of the first and second moment.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Whether weight decay also moves biases and the scales and shifts of norms.
    pub decay_norm_and_bias: bool,
}

impl Default for AdamW {
    fn default() -> Self {
        AdamW { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, decay_norm_and_bias: false }
    }
}
