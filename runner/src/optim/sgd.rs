//! `sgd`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent with momentum (Sutskever et al. 2013), as torch's `SGD`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// Whether momentum looks ahead (Nesterov).
    pub nesterov: bool,
    /// Coupled (L2) weight decay.
    pub weight_decay: f64,
    /// Whether weight decay also moves biases and the scales and shifts of norms.
    pub decay_norm_and_bias: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0, decay_norm_and_bias: false }
    }
}
