//! A dense array of `f32` on a device.

use super::{EngineError, Kernels, Result};
use dfdx::prelude::{HasShape, ReshapeTo};
use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// dfdx's tensor, always contiguous and one-dimensional: the shape lives in [`Tensor`].
pub(crate) type Flat<D> = dfdx::prelude::Tensor<(usize,), f32, D>;

/// The gradient, on its way back, of the result of an operation whose device keeps it in the host's memory.
/// dfdx's store would fill it with zeros before the first operand is added to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passing(Arc<Mutex<Vec<f32>>>);

impl Passing {
    /// Moves out what there is so far; nothing at first.
    pub fn take(&self) -> Vec<f32> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a gradient in its place.
    pub fn put(&self, gradient: Vec<f32>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = gradient;
    }
}

/// What a kernel made of a tensor's values for its own use, kept until they change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made(Arc<OnceLock<Box<dyn Any + Send + Sync>>>);

impl Made {
    /// What was made; it is made now if it was not. `None` where another kernel made something else.
    pub fn get_or<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

/// A dense, contiguous array of `f32` on a device, first dimension outermost.
///
/// Cloning copies no values. The identity that gradients are kept under is kept by clones and by
/// [`Tensor::reshape`].
#[derive(Debug, Clone)]
pub struct Tensor<D: Kernels> {
    flat: Flat<D>,
    dims: Vec<usize>,
    wants_grad: bool,
    pub(crate) passing: Option<Passing>,
    made: Made,
}

impl<D: Kernels> Tensor<D> {
    /// A tensor of these values; `values.len()` must be the product of `dims`.
    pub fn from_vec(device: &D, values: Vec<f32>, dims: &[usize]) -> Result<Self> {
        let count = values.len();
        if count != dims.iter().product::<usize>() {
            return Err(EngineError::Shapes { operation: "from_vec", shapes: vec![vec![count], dims.to_vec()] });
        }
        let flat = device.try_tensor_from_vec(values, (count,)).map_err(EngineError::device("from_vec"))?;
        Ok(Self::from_flat(flat, dims.to_vec()))
    }

    /// A tensor of zeros.
    pub fn zeros(device: &D, dims: &[usize]) -> Result<Self> {
        let count: usize = dims.iter().product();
        let flat =
            dfdx::prelude::ZerosTensor::try_zeros_like(device, &(count,)).map_err(EngineError::device("zeros"))?;
        Ok(Self::from_flat(flat, dims.to_vec()))
    }

    /// Wraps dfdx's tensor; no gradient is wanted for it.
    pub(crate) fn from_flat(flat: Flat<D>, dims: Vec<usize>) -> Self {
        debug_assert_eq!(flat.shape().0, dims.iter().product::<usize>());
        Tensor { flat, dims, wants_grad: false, passing: None, made: Made::default() }
    }

    /// The same values, and whether a gradient is wanted for them.
    #[must_use]
    pub fn wanting_grad(mut self, wants_grad: bool) -> Self {
        self.wants_grad = wants_grad;
        self
    }

    /// Whether backward computes a gradient for this tensor.
    pub fn wants_grad(&self) -> bool {
        self.wants_grad
    }

    /// The shape.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.flat.shape().0
    }

    /// True when there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the values are.
    pub fn device(&self) -> &D {
        self.flat.device()
    }

    /// The same values under another shape of as many; copies nothing.
    pub fn reshape(&self, dims: &[usize]) -> Result<Self> {
        if dims.iter().product::<usize>() != self.len() {
            return Err(EngineError::Shapes { operation: "reshape", shapes: vec![self.dims.clone(), dims.to_vec()] });
        }
        Ok(Tensor { dims: dims.to_vec(), ..self.clone() })
    }

    /// A copy of the values on the host.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        self.flat.copy_into(&mut values);
        values
    }

    /// True when no value is NaN or infinite.
    pub fn all_finite(&self) -> Result<bool> {
        D::all_finite(self)
    }

    /// dfdx's tensor.
    pub(crate) fn flat(&self) -> &Flat<D> {
        &self.flat
    }

    /// What a kernel made of the values.
    pub(crate) fn made(&self) -> &Made {
        &self.made
    }

    /// dfdx's tensor, to be updated in place. Clones keep the old values, and what was made of them.
    pub(crate) fn flat_mut(&mut self) -> &mut Flat<D> {
        self.made = Made::default();
        &mut self.flat
    }

    /// dfdx's tensor under a shape that dfdx knows.
    pub(crate) fn shaped<S: dfdx::prelude::Shape>(&self, shape: S) -> Result<dfdx::prelude::Tensor<S, f32, D>> {
        self.flat.clone().try_reshape_like(&shape).map_err(EngineError::device("reshape"))
    }
}
