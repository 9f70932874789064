//! The memory of tensors and gradients on the CPU.

use super::super::{Cpu, EngineError, Result, Tensor};
use dfdx::prelude::{CpuError, Gradients, ZerosTensor};

/// The memory that dfdx keeps a gradient in.
pub type Storage = <Cpu as dfdx::prelude::Storage<f32>>::Vec;

/// The gradients of a backward pass that is under way.
pub type Flow = Gradients<f32, Cpu>;

/// What a step backwards gives.
pub type Backward<T> = std::result::Result<T, CpuError>;

impl Tensor<Cpu> {
    /// The values, in place.
    pub(crate) fn values(&self) -> &[f32] {
        if self.is_empty() {
            return &[];
        }
        let first: *const f32 = &raw const self.flat()[[0]];
        // SAFETY: a `Flat` of shape (len,) is contiguous, so dfdx's vector holds `len` values from
        // the first on. It lives as long as the tensor, and nothing writes to it while `self` is
        // borrowed: dfdx copies a shared vector before it writes.
        unsafe { std::slice::from_raw_parts(first, self.len()) }
    }

    /// The values, to be changed in place. Clones of the tensor keep the old ones.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        if self.is_empty() {
            return &mut [];
        }
        let len = self.len();
        let first: *mut f32 = &raw mut self.flat_mut()[[0]];
        // SAFETY: as above; dfdx's `index_mut` has made this tensor the vector's only owner.
        unsafe { std::slice::from_raw_parts_mut(first, len) }
    }

    /// A new tensor whose values `fill` writes over zeros.
    pub(crate) fn filled(device: &Cpu, dims: &[usize], fill: impl FnOnce(&mut [f32])) -> Result<Self> {
        let count: usize = dims.iter().product();
        let flat = device.try_zeros_like(&(count,)).map_err(EngineError::device("allocation"))?;
        let mut tensor = Tensor::from_flat(flat, dims.to_vec());
        fill(tensor.values_mut());
        Ok(tensor)
    }
}

/// Zeroed memory that goes back to dfdx's cache when dropped.
pub fn scratch(device: &Cpu, len: usize) -> Backward<Storage> {
    dfdx::prelude::Storage::<f32>::try_alloc_len(device, len)
}

type Find = dyn for<'a> Fn(&'a mut Flow) -> Backward<&'a mut Storage>;

/// The place of one tensor's gradient in a backward pass.
pub struct Slot {
    find: Box<Find>,
    device: Cpu,
}

impl Slot {
    /// The place of `tensor`'s gradient; does not keep the tensor's values alive.
    pub fn of(tensor: &Tensor<Cpu>) -> Self {
        let ghost = tensor.flat().ghost();
        Slot { find: Box::new(move |flow| flow.get_or_alloc_mut(&ghost)), device: tensor.device().clone() }
    }

    /// The place of `tensor`'s gradient if one is wanted.
    pub fn wanted(tensor: &Tensor<Cpu>) -> Option<Self> {
        tensor.wants_grad().then(|| Slot::of(tensor))
    }

    /// The gradient so far, to be added to; zeros at first.
    pub fn get<'a>(&self, flow: &'a mut Flow) -> Backward<&'a mut [f32]> {
        Ok((self.find)(flow)?.as_mut_slice())
    }

    /// Puts back what was moved out by [`Slot::take`].
    pub fn put(&self, flow: &mut Flow, gradient: Storage) -> Backward<()> {
        *(self.find)(flow)? = gradient;
        Ok(())
    }

    /// Moves the gradient out, so that its memory is free as soon as it has been used. For the
    /// output of an operation, whose gradient nobody looks at after that operation.
    pub fn take(&self, flow: &mut Flow) -> Backward<Storage> {
        let nothing = scratch(&self.device, 0)?;
        Ok(std::mem::replace((self.find)(flow)?, nothing))
    }
}
