//! Penalties on weights, limits to them, and averages of them.

use super::{EngineError, Gradients, Kernels, Result, Tensor};

/// What pulls weights towards a place: the slope of `absolute * |w - to| + square / 2 * (w - to)^2`,
/// summed over values.
#[derive(Debug, Clone, Copy)]
pub struct Pull<'a, D: Kernels> {
    /// L1: a pull that does not depend on the distance.
    pub absolute: f64,
    /// L2: a pull in proportion to the distance.
    pub square: f64,
    /// The place, of the weights' shape; `None` is 0.
    pub towards: Option<&'a Tensor<D>>,
}

impl<D: Kernels> Pull<'_, D> {
    /// Adds the pull on `tensor` to its gradient.
    pub fn add(&self, gradients: &mut Gradients<D>, tensor: &Tensor<D>) -> Result<()> {
        if let Some(towards) = self.towards {
            same_len("pull", tensor, towards)?;
        }
        D::pull(self, gradients, tensor)
    }
}

impl<D: Kernels> Gradients<D> {
    /// Adds `values` to `tensor`'s gradient.
    pub fn add(&mut self, tensor: &Tensor<D>, values: &Tensor<D>) -> Result<()> {
        same_len("add", tensor, values)?;
        D::add_to_gradient(self, tensor, values)
    }
}

impl<D: Kernels> Tensor<D> {
    /// Scales what flows into each output (all values of one place in the last dimension) down to a
    /// norm of at most `bound`. What is within stays as it is, to the last bit.
    pub fn limit_norms(&mut self, bound: f64) -> Result<()> {
        if self.is_empty() { Ok(()) } else { D::limit_norms(self, bound) }
    }

    /// Moves this tensor towards `other` by a share of the way: `self += share * (other - self)`.
    pub fn approach(&mut self, other: &Tensor<D>, share: f64) -> Result<()> {
        same_len("approach", self, other)?;
        D::approach(self, other, share)
    }
}

fn same_len<D: Kernels>(operation: &'static str, a: &Tensor<D>, b: &Tensor<D>) -> Result<()> {
    if a.len() == b.len() {
        return Ok(());
    }
    Err(EngineError::Shapes { operation, shapes: vec![a.dims().to_vec(), b.dims().to_vec()] })
}
