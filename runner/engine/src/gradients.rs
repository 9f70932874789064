//! The gradients of a backward pass.

use super::tensor::Flat;
use super::{EngineError, Kernels, Result, Tensor};
use dfdx::prelude::{Backward, HasShape, SumTo, Trace, TryMul};

/// Gradients by tensor.
///
/// Those of the leaves (parameters, inputs) that wanted one are there; the gradients of what lies
/// between may have been freed on the way.
pub struct Gradients<D: Kernels>(dfdx::prelude::Gradients<f32, D>);

impl<D: Kernels> Gradients<D> {
    pub(crate) fn new(gradients: dfdx::prelude::Gradients<f32, D>) -> Self {
        Gradients(gradients)
    }

    /// The gradient of `tensor`, zeros if the pass gave none.
    pub fn of(&mut self, tensor: &Tensor<D>) -> Result<Tensor<D>> {
        self.0.try_alloc_for(tensor.flat()).map_err(EngineError::device("gradient"))?;
        Ok(Tensor::from_flat(self.0.get(tensor.flat()), tensor.dims().to_vec()))
    }

    /// The sum of the squares of `tensor`'s gradient.
    pub fn norm_squared(&mut self, tensor: &Tensor<D>) -> Result<f64> {
        D::gradient_norm_squared(self, tensor)
    }

    /// Multiplies `tensor`'s gradient by `factor`.
    pub fn scale(&mut self, tensor: &Tensor<D>, factor: f32) -> Result<()> {
        D::scale_gradient(self, tensor, factor)
    }

    /// Cuts each value of `tensor`'s gradient to `-limit..=limit`.
    pub fn clip(&mut self, tensor: &Tensor<D>, limit: f32) -> Result<()> {
        D::clip_gradient(self, tensor, limit)
    }

    /// Whether no value of `tensor`'s gradient is NaN or infinite.
    pub fn all_finite(&mut self, tensor: &Tensor<D>) -> Result<bool> {
        // A square can overflow where the value does not.
        Ok(self.norm_squared(tensor)?.is_finite() || self.of(tensor)?.all_finite()?)
    }

    /// Puts `values` in the place of `tensor`'s gradient.
    pub(crate) fn set(&mut self, tensor: &Tensor<D>, values: Flat<D>) -> Result<()> {
        // The only public way from a tensor to a gradient: the gradient of `sum(probe * values)`
        // to `probe` is `values`.
        let device = EngineError::device::<D::Err>;
        let probe = tensor.device().try_zeros_like(values.shape()).map_err(device("gradient"))?;
        let product = probe.leaky_trace().try_mul(values).map_err(device("gradient"))?;
        let sum = product.try_sum::<(), _>().map_err(device("gradient"))?;
        let mut of_probe = sum.try_backward().map_err(device("gradient"))?;
        let values = of_probe.get_or_alloc_mut(&probe).map_err(device("gradient"))?;
        let gradient = self.0.get_or_alloc_mut(tensor.flat()).map_err(device("gradient"))?;
        std::mem::swap(gradient, values);
        Ok(())
    }

    /// dfdx's gradients.
    pub(crate) fn inner(&mut self) -> &mut dfdx::prelude::Gradients<f32, D> {
        &mut self.0
    }
}
