//! The gradients of a backward pass.

use super::{EngineError, Kernels, Result, Tensor};

/// Gradients by tensor.
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

    /// dfdx's gradients.
    pub(crate) fn inner(&mut self) -> &mut dfdx::prelude::Gradients<f32, D> {
        &mut self.0
    }
}
