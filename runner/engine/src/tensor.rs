//! A dense array of `f32` on a device.

use super::{EngineError, Kernels, Result};
use dfdx::prelude::{HasShape, ReshapeTo};
use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// dfdx's tensor, always contiguous and one-dimensional: the shape lives in [`Tensor`].
pub(crate) type Flat<D> = dfdx::prelude::Tensor<(usize,), f32, D>;

/// The gradient, on its way back, of the result of an operation, in the device's memory. dfdx's store would fill it
/// with zeros before the first operand is added to it.
#[derive(Debug)]
pub(crate) struct Passing<B>(Arc<Mutex<Option<B>>>);

impl<B> Passing<B> {
    /// Moves out what there is so far; nothing at first.
    pub fn take(&self) -> Option<B> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts a gradient in its place.
    pub fn put(&self, gradient: B) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(gradient);
    }
}

impl<B> Default for Passing<B> {
    fn default() -> Self {
        Passing(Arc::default())
    }
}

impl<B> Clone for Passing<B> {
    fn clone(&self) -> Self {
        Passing(self.0.clone())
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

    /// Whether no clone has it too.
    #[cfg(feature = "cuda")]
    fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// A dense, contiguous array of `f32` on a device, first dimension outermost.
///
/// Cloning copies no values. The identity that gradients are kept under is kept by clones and by
/// [`Tensor::reshape`].
#[derive(Debug)]
pub struct Tensor<D: Kernels> {
    /// Of no values where there is a buffer.
    flat: Flat<D>,
    /// The values of an operation's result, where the device's kernels write to memory of their own.
    buffer: Option<Arc<D::Buffer>>,
    dims: Vec<usize>,
    wants_grad: bool,
    pub(crate) passing: Option<Passing<D::Buffer>>,
    made: Made,
}

// Derived, it would ask that gradients can be cloned.
impl<D: Kernels> Clone for Tensor<D> {
    fn clone(&self) -> Self {
        Tensor {
            flat: self.flat.clone(),
            buffer: self.buffer.clone(),
            dims: self.dims.clone(),
            wants_grad: self.wants_grad,
            passing: self.passing.clone(),
            made: self.made.clone(),
        }
    }
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

    /// A tensor of these values, which are copied; there must be as many as `dims` says.
    pub fn from_slice(device: &D, values: &[f32], dims: &[usize]) -> Result<Self> {
        if values.len() != dims.iter().product::<usize>() {
            return Err(EngineError::Shapes {
                operation: "from_slice",
                shapes: vec![vec![values.len()], dims.to_vec()],
            });
        }
        D::upload(device, values, dims)
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
        Tensor { flat, buffer: None, dims, wants_grad: false, passing: None, made: Made::default() }
    }

    /// A tensor whose values are in a buffer; `nothing` is one of no values on its device.
    #[cfg(feature = "cuda")]
    pub(crate) fn from_buffer(nothing: Flat<D>, buffer: D::Buffer, dims: Vec<usize>) -> Self {
        let buffer = Some(Arc::new(buffer));
        Tensor { flat: nothing, buffer, dims, wants_grad: false, passing: None, made: Made::default() }
    }

    /// The buffer with the values, where they are in one.
    #[cfg(feature = "cuda")]
    pub(crate) fn buffer(&self) -> Option<&D::Buffer> {
        self.buffer.as_deref()
    }

    /// Puts values in the place of those that there are.
    #[cfg(feature = "cuda")]
    pub(crate) fn set_buffer(&mut self, buffer: D::Buffer) {
        self.made = Made::default();
        self.buffer = Some(Arc::new(buffer));
    }

    /// The same values, and whether a gradient is wanted for them.
    #[must_use]
    pub fn wanting_grad(mut self, wants_grad: bool) -> Self {
        self.wants_grad = wants_grad;
        // A leaf's gradient is kept under the identity of dfdx's tensor.
        if wants_grad && self.passing.is_none() {
            self.settle();
        }
        self
    }

    /// Moves values from a buffer to a tensor of dfdx.
    fn settle(&mut self) {
        if let Some(buffer) = &self.buffer
            && let Ok(flat) = D::settled(self.flat.device(), buffer, self.len())
        {
            (self.flat, self.buffer) = (flat, None);
        }
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
        self.dims.iter().product()
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
    pub fn read(&self) -> Result<Vec<f32>> {
        let mut values = vec![0.0; self.len()];
        D::read(self, &mut values)?;
        Ok(values)
    }

    /// The same, for tests.
    ///
    /// # Panics
    /// Where [`Tensor::read`] is an error.
    pub fn to_vec(&self) -> Vec<f32> {
        let values = self.read();
        assert!(values.is_ok(), "{values:?}");
        values.unwrap_or_default()
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

    /// Whether no clone of this tensor shares its values.
    #[cfg(feature = "cuda")]
    pub(crate) fn is_alone(&self) -> bool {
        self.made.is_alone()
    }

    /// dfdx's tensor, to be updated in place. Clones keep the old values, and what was made of them.
    pub(crate) fn flat_mut(&mut self) -> &mut Flat<D> {
        self.made = Made::default();
        &mut self.flat
    }

    /// dfdx's tensor under a shape that dfdx knows.
    pub(crate) fn shaped<S: dfdx::prelude::Shape>(&self, shape: S) -> Result<dfdx::prelude::Tensor<S, f32, D>> {
        let flat = match &self.buffer {
            // Its gradient would not find the way back.
            Some(_) if self.passing.is_some() => {
                let message = "kernels of two sets are mixed on a tape".to_owned();
                return Err(EngineError::Device { operation: "reshape", message });
            }
            Some(buffer) => D::settled(self.flat.device(), buffer, self.len())?,
            None => self.flat.clone(),
        };
        flat.try_reshape_like(&shape).map_err(EngineError::device("reshape"))
    }
}
