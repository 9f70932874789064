//! Values that travel to a device while it computes.

use super::{EngineError, Kernels, Later, Result, Tensor};

/// Room on a device for values that are sent there later, while it computes.
///
/// The values wait for what the device was asked for before the room was taken, and for nothing that it is asked for
/// afterwards.
#[derive(Debug)]
pub struct Room<D: Kernels> {
    device: D,
    place: D::Room,
    len: usize,
}

impl<D: Kernels> Room<D> {
    /// Room for at most `len` values.
    pub fn of(device: &D, len: usize) -> Result<Self> {
        Ok(Room { device: device.clone(), place: D::room(device, len)?, len })
    }

    /// Whether there is room for so many values.
    pub fn holds(&self, len: usize) -> bool {
        len <= self.len
    }

    /// Sends values; they have left `values` when this returns. What is computed with the tensor waits until they have
    /// arrived; nothing else does.
    ///
    /// Fails where `dims` says another number of values, or more than there is room for.
    pub fn send(self, values: &[f32], dims: &[usize]) -> Result<Later<Tensor<D>>> {
        if values.len() != dims.iter().product::<usize>() || !self.holds(values.len()) {
            let shapes = vec![vec![values.len()], dims.to_vec(), vec![self.len]];
            return Err(EngineError::Shapes { operation: "send", shapes });
        }
        D::send(&self.device, self.place, values, dims)
    }
}
