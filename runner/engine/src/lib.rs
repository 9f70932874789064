//! Tensors, the tape and the kernels. The only module that knows dfdx.
//!
//! Everything above works with [`Tensor`], [`Tape`] and the trait [`Kernels`], generic over the
//! device. Activations are NHWC, convolution weights (KH, KW, `C_in` / groups, `C_out`), linear
//! weights (in, out).

// A test fails by a panic, and compares what must be equal to the last bit.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::float_cmp))]

mod ahead;
pub mod assembled;
mod cells;
pub mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod device;
pub mod error;
pub mod foreign;
pub mod geometry;
pub mod gradients;
pub mod kernels;
mod later;
pub mod memory;
mod normalization;
pub mod optimizer;
mod precision;
mod pull;
pub mod resample;
mod slide;
pub mod tape;
pub mod tensor;
#[cfg(test)]
mod tests;
mod winograd;

pub use ahead::Room;
pub use device::{Cpu, DeviceName, DeviceTask, empty_cache, with_device};
pub use error::EngineError;
pub use foreign::{
    Foreign, ForeignBackward, ForeignForward, ForeignOnGpu, GpuBackward, GpuForward, GpuTensor, View, ViewMut,
    Workplace,
};
pub use geometry::{Padding, Window};
pub use gradients::Gradients;
pub use kernels::{Activation, BatchStatistics, Broadcast, Kernels};
pub use later::Later;
pub use memory::KeptMemory;
pub use normalization::Normalization;
pub use optimizer::{AdamWStep, SgdStep};
pub use precision::Precision;
pub use pull::Pull;
pub use resample::Interpolation;
pub use tape::{KernelSet, Tape};
pub use tensor::Tensor;
pub use winograd::Winograd;

#[cfg(feature = "cuda")]
pub use device::Cuda;

/// What an engine operation gives.
pub type Result<T> = std::result::Result<T, EngineError>;
