//! Foreign operations that work on memory of a GPU.

use super::Result;
use std::ffi::c_void;

/// A tensor in memory of a GPU.
#[derive(Debug, Clone, Copy)]
pub struct GpuTensor<'a> {
    /// The shape.
    pub dims: &'a [usize],
    /// Where the values are; null where they were not kept.
    pub values: *mut f32,
}

/// Where an operation works on a GPU.
#[derive(Debug, Clone, Copy)]
pub struct Workplace {
    /// The number of the GPU.
    pub gpu: usize,
    /// The stream that all work goes to, a `CUstream`; never null.
    pub stream: *mut c_void,
    /// Memory there of [`super::Foreign::scratch_words`]: zeros forward, and as forward left it on the way back.
    pub scratch: *mut c_void,
}

/// What a foreign operation is given on a GPU on the way forward.
#[derive(Debug)]
pub struct GpuForward<'a> {
    /// Where to work.
    pub at: Workplace,
    /// The inputs.
    pub inputs: Vec<GpuTensor<'a>>,
    /// The parameters.
    pub params: Vec<GpuTensor<'a>>,
    /// Where all values are to be written.
    pub output: GpuTensor<'a>,
    /// Whether backward may follow.
    pub recorded: bool,
}

/// What a foreign operation is given on a GPU on the way back.
#[derive(Debug)]
pub struct GpuBackward<'a> {
    /// Where to work.
    pub at: Workplace,
    /// The inputs, without values if they need not be kept.
    pub inputs: Vec<GpuTensor<'a>>,
    /// The parameters.
    pub params: Vec<GpuTensor<'a>>,
    /// The output, without values if it need not be kept.
    pub output: GpuTensor<'a>,
    /// The gradient of the output.
    pub output_gradient: GpuTensor<'a>,
    /// By input: where to add its gradient, if one is wanted.
    pub input_gradients: Vec<Option<GpuTensor<'a>>>,
    /// By parameter: where to add its gradient, if one is wanted.
    pub param_gradients: Vec<Option<GpuTensor<'a>>>,
}

/// A foreign operation that takes tensors where they are on a GPU.
///
/// It puts its work on the stream, and does not wait for it. An error is one of asking for the work.
pub trait ForeignOnGpu {
    /// Computes the output.
    ///
    /// # Safety
    /// All that the call points to is memory of that GPU, of as many values as are said, which stays until the work on the
    /// stream is done; and the GPU's primary context is current on this thread.
    unsafe fn forward(&self, call: GpuForward<'_>) -> Result<()>;

    /// Adds to the gradients that are wanted.
    ///
    /// # Safety
    /// As forward.
    unsafe fn backward(&self, call: GpuBackward<'_>) -> Result<()>;
}
