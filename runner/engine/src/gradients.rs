//! The gradients of a backward pass.

use super::tensor::Flat;
use super::{EngineError, Kernels, Later, Result, Tensor};
use dfdx::prelude::{Backward, HasShape, Storage, SumTo, Trace, TryAdd, TryMul};

/// The gradients of a backward pass that is under way.
type Flow<D> = dfdx::prelude::Gradients<f32, D>;

/// Gradients by tensor.
///
/// Those of the leaves (parameters, inputs) that wanted one are there; the gradients of what lies
/// between may have been freed on the way.
pub struct Gradients<D: Kernels>(Flow<D>);

impl<D: Kernels> Gradients<D> {
    pub(crate) fn new(gradients: Flow<D>) -> Self {
        Gradients(gradients)
    }

    /// The gradients of these tensors alone: what else the pass left is freed. No value is copied.
    ///
    /// [`super::Tape::adding_to`] makes of them the beginning of another pass.
    pub fn only<'a>(mut self, tensors: impl IntoIterator<Item = &'a Tensor<D>>) -> Result<Self> {
        let mut kept = Flow::leaky();
        for tensor in tensors {
            let nothing = Storage::<f32>::try_alloc_len(tensor.device(), 0).map_err(EngineError::device("gradient"))?;
            let so_far = self.0.get_or_alloc_mut(tensor.flat()).map_err(EngineError::device("gradient"))?;
            let values = std::mem::replace(so_far, nothing);
            *kept.get_or_alloc_mut(tensor.flat()).map_err(EngineError::device("gradient"))? = values;
        }
        Ok(Gradients(kept))
    }

    /// As dfdx has them.
    pub(crate) fn into_inner(self) -> Flow<D> {
        self.0
    }

    /// The gradient of `tensor`, zeros if the pass gave none.
    pub fn of(&mut self, tensor: &Tensor<D>) -> Result<Tensor<D>> {
        read(&mut self.0, tensor)
    }

    /// Puts `values` in the place of `tensor`'s gradient.
    pub fn put(&mut self, tensor: &Tensor<D>, values: Vec<f32>) -> Result<()> {
        let values = Tensor::from_vec(tensor.device(), values, tensor.dims())?;
        self.set(tensor, values.flat().clone())
    }

    /// The sum of the squares of `tensor`'s gradient.
    pub fn norm_squared(&mut self, tensor: &Tensor<D>) -> Result<f64> {
        D::gradient_norm_squared(self, tensor)
    }

    /// The sums of the squares of the gradients of some tensors, which need not be waited for.
    pub fn norms_squared(&mut self, tensors: &[&Tensor<D>]) -> Result<Later<Vec<f64>>> {
        D::gradient_norms_squared_later(self, tensors)
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
        set(&mut self.0, tensor, values)
    }

    /// dfdx's gradients.
    pub(crate) fn inner(&mut self) -> &mut Flow<D> {
        &mut self.0
    }
}

/// The gradient of `tensor` so far, zeros if there is none.
pub(crate) fn read<D: Kernels>(flow: &mut Flow<D>, tensor: &Tensor<D>) -> Result<Tensor<D>> {
    flow.try_alloc_for(tensor.flat()).map_err(EngineError::device("gradient"))?;
    Ok(Tensor::from_flat(flow.get(tensor.flat()), tensor.dims().to_vec()))
}

/// Adds `values` to the gradient of `tensor`.
pub(crate) fn add<D: Kernels>(flow: &mut Flow<D>, tensor: &Tensor<D>, values: Vec<f32>) -> Result<()> {
    let more = Tensor::from_vec(tensor.device(), values, tensor.dims())?;
    let so_far = read(flow, tensor)?;
    let sum = so_far.flat().clone().try_add(more.flat().clone()).map_err(EngineError::device("gradient"))?;
    set(flow, tensor, sum)
}

/// Puts `values` in the place of `tensor`'s gradient.
fn set<D: Kernels>(flow: &mut Flow<D>, tensor: &Tensor<D>, values: Flat<D>) -> Result<()> {
    // The only public way from a tensor to a gradient: the gradient of `sum(probe * values)` to
    // `probe` is `values`.
    let device = EngineError::device::<D::Err>;
    let probe = tensor.device().try_zeros_like(values.shape()).map_err(device("gradient"))?;
    let product = probe.leaky_trace().try_mul(values).map_err(device("gradient"))?;
    let sum = product.try_sum::<(), _>().map_err(device("gradient"))?;
    let mut of_probe = sum.try_backward().map_err(device("gradient"))?;
    let values = of_probe.get_or_alloc_mut(&probe).map_err(device("gradient"))?;
    let gradient = flow.get_or_alloc_mut(tensor.flat()).map_err(device("gradient"))?;
    std::mem::swap(gradient, values);
    Ok(())
}
