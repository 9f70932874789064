//! One step of an optimizer on one tensor, by dfdx's kernels.

use super::{Gradients, Kernels, Result, Tensor};

/// Stochastic gradient descent with momentum (Sutskever et al. 2013), as torch's `SGD`:
/// `v = momentum * v + g`, `w -= lr * v`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// Whether momentum looks ahead (Nesterov).
    pub nesterov: bool,
    /// Coupled (L2) weight decay.
    pub weight_decay: f64,
}

impl SgdStep {
    /// Moves `param` and `velocity` (zeros at first) by the gradient in `gradients`.
    pub fn apply<D: Kernels>(
        &self,
        param: &mut Tensor<D>,
        velocity: &mut Tensor<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let _ = (param, velocity, gradients);
        todo!()
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as torch's `AdamW`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay rates of the two moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl AdamWStep {
    /// Moves `param` and its moments (zeros at first) by the gradient; `step` counts from 1.
    pub fn apply<D: Kernels>(
        &self,
        step: i32,
        param: &mut Tensor<D>,
        first: &mut Tensor<D>,
        second: &mut Tensor<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let _ = (step, param, first, second, gradients);
        todo!()
    }
}
