//! One step of an optimizer on one tensor.
//!
//! dfdx has optimizers of its own. Its `Adam` corrects the bias in `f32` (`1 - 0.999` is off by
//! 5e-5 there), decays after the step instead of before, and keeps its state where it cannot be
//! saved; so both are written here, with torch's order of operations.

use super::{EngineError, Gradients, Kernels, Result, Tensor};

/// Stochastic gradient descent with momentum (Sutskever et al. 2013), as torch's `SGD`:
/// `g += weight_decay * w`, `v = momentum * v + g`, `w -= lr * v`; with Nesterov's momentum
/// `w -= lr * (g + momentum * v)`.
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
        same_len("sgd", param, &[velocity])?;
        D::sgd_step(self, param, velocity, gradients)
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
        same_len("adamw", param, &[first, second])?;
        D::adamw_step(self, step, param, first, second, gradients)
    }
}

impl AdamWStep {
    /// What the moments are divided by in step `number`, because they began at zero: the first
    /// moment by the first, the root of the second by the second.
    pub(crate) fn corrections(&self, number: i32) -> [f64; 2] {
        let [first, second] = self.betas.map(|beta| 1.0 - beta.powi(number));
        [first, second.sqrt()]
    }
}

fn same_len<D: Kernels>(operation: &'static str, param: &Tensor<D>, state: &[&mut Tensor<D>]) -> Result<()> {
    if state.iter().all(|state| state.len() == param.len()) {
        return Ok(());
    }
    let state = state.iter().map(|state| state.dims().to_vec());
    Err(EngineError::Shapes { operation, shapes: std::iter::once(param.dims().to_vec()).chain(state).collect() })
}
