//! The interface between `runner` and a plugin, as Rust sees it: the mirror of `runner_plugin.h`.
//!
//! What each member means is said in the header, which is [`HEADER`]. A test compiles the header
//! with a C compiler and holds every size, offset and constant against the types here.
//!
//! Plugins in Rust are easier written with the crate `runner-plugin`, which is safe to use.

#![deny(missing_docs)]
#![allow(non_camel_case_types)]

mod philox;

pub use philox::philox;

use std::ffi::{c_char, c_void};
use std::mem::offset_of;

/// The C header, whole.
pub const HEADER: &str = include_str!("../runner_plugin.h");

/// The name of the symbol that a plugin exports, with its closing zero.
pub const ENTRY: &[u8] = b"runner_plugin\0";

/// Plugins of another major are refused.
pub const ABI_MAJOR: u32 = 1;
/// Plugins and hosts of any minor go together.
pub const ABI_MINOR: u32 = 1;
/// The first minor in which layers are given tensors on a GPU.
pub const ABI_MINOR_OF_GPUS: u32 = 1;
/// The most dimensions of a shape.
pub const MAX_RANK: usize = 8;

/// Whether a function did what it was asked to.
pub type Status = i32;
/// It did.
pub const OK: Status = 0;
/// It did not, and said why.
pub const ERROR: Status = 1;
/// It panicked, and the panic was caught.
pub const PANIC: Status = 2;

/// Nothing is random, nothing is learned.
pub const EVALUATION: i32 = 0;
/// Random layers act.
pub const TRAINING: i32 = 1;

/// Level of the log: something failed.
pub const LOG_ERROR: i32 = 1;
/// Level of the log: something a person should know.
pub const LOG_WARN: i32 = 2;
/// Level of the log: what is done.
pub const LOG_INFO: i32 = 3;
/// Level of the log: everything.
pub const LOG_DEBUG: i32 = 4;

/// First values: all are `a`.
pub const INIT_CONSTANT: u32 = 0;
/// First values: uniform from `a` to `b`.
pub const INIT_UNIFORM: u32 = 1;
/// First values: normal with mean `a` and standard deviation `b`.
pub const INIT_NORMAL: u32 = 2;
/// First values: as the pipeline initialises weights.
pub const INIT_WEIGHT: u32 = 3;

/// Flag of a layer: it has parameters.
pub const LAYER_PARAMETERS: u64 = 1;
/// Flag of a layer: it differs between training and evaluation.
pub const LAYER_MODES: u64 = 2;
/// Flag of a layer: it draws random numbers, in training only.
pub const LAYER_RANDOM: u64 = 4;
/// Flag of a layer: one instance may be used by several threads at once.
pub const LAYER_THREAD_SAFE: u64 = 8;
/// Flag of a layer: backward reads no values of the inputs.
pub const LAYER_FORGETS_INPUTS: u64 = 16;
/// Flag of a layer: backward reads no values of the output.
pub const LAYER_FORGETS_OUTPUT: u64 = 32;

/// A layer takes tensors in memory of the CPU.
pub const DEVICE_CPU: u64 = 1;
/// A layer takes tensors in memory of an NVIDIA GPU.
pub const DEVICE_CUDA: u64 = 2;

/// `DLPack`'s number of the CPU.
pub const DL_CPU: i32 = 1;
/// `DLPack`'s number of NVIDIA GPUs.
pub const DL_CUDA: i32 = 2;
/// `DLPack`'s number of floating point types.
pub const DL_FLOAT: u8 = 2;

/// `DLDevice`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DlDevice {
    /// Where.
    pub device_type: i32,
    /// Which one of them.
    pub device_id: i32,
}

/// `DLDataType`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DlDataType {
    /// The kind of number.
    pub code: u8,
    /// Bits of one.
    pub bits: u8,
    /// How many make one value.
    pub lanes: u16,
}

/// `DLTensor`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DlTensor {
    /// The values.
    pub data: *mut c_void,
    /// Where they are.
    pub device: DlDevice,
    /// Dimensions.
    pub ndim: i32,
    /// The type of the values.
    pub dtype: DlDataType,
    /// `ndim` sizes.
    pub shape: *mut i64,
    /// Null: contiguous.
    pub strides: *mut i64,
    /// Where the first value is, from `data`.
    pub byte_offset: u64,
}

/// `runner_shape`: of one sample.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The size of this struct.
    pub size: usize,
    /// Dimensions used.
    pub rank: usize,
    /// The dimensions.
    pub dims: [i64; MAX_RANK],
}

impl Shape {
    /// A shape of these dimensions; `None` if there are too many.
    pub fn new(dims: &[i64]) -> Option<Self> {
        let mut shape = Shape { size: size_of::<Shape>(), rank: dims.len(), dims: [0; MAX_RANK] };
        shape.dims.get_mut(..dims.len())?.copy_from_slice(dims);
        Some(shape)
    }

    /// The dimensions used; `None` if the rank is none.
    pub fn dims(&self) -> Option<&[i64]> {
        self.dims.get(..self.rank)
    }
}

/// `runner_sink`: takes the reason of a failure.
#[repr(C)]
#[derive(Debug)]
pub struct Sink {
    _opaque: [u8; 0],
}

/// `runner_parameters`: takes the parameters that a layer lists.
#[repr(C)]
#[derive(Debug)]
pub struct Parameters {
    _opaque: [u8; 0],
}

/// `runner_parameter`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The size of this struct.
    pub size: usize,
    /// The name within the layer.
    pub name: *const c_char,
    /// Dimensions used.
    pub rank: usize,
    /// The dimensions.
    pub dims: [i64; MAX_RANK],
    /// How the first values are made.
    pub init: u32,
    /// See the kinds of init.
    pub a: f32,
    /// See the kinds of init.
    pub b: f32,
    /// Whether weight decay moves it.
    pub weight_decay: i32,
    /// Values that flow into one output.
    pub fan_in: i64,
    /// Values that flow out of one input.
    pub fan_out: i64,
}

/// A function that writes a line to the log.
pub type LogFn = unsafe extern "C" fn(level: i32, text: *const c_char, length: usize);
/// A function that takes the reason of a failure.
pub type FailFn = unsafe extern "C" fn(sink: *mut Sink, text: *const c_char, length: usize);
/// A function that adds to a list of parameters.
pub type AddParameterFn = unsafe extern "C" fn(list: *mut Parameters, parameter: *const Parameter);
/// The body of a loop.
pub type BodyFn = unsafe extern "C" fn(context: *mut c_void, index: usize);
/// A function that runs a loop on several threads.
pub type ParallelForFn = unsafe extern "C" fn(count: usize, body: Option<BodyFn>, context: *mut c_void);
/// A function that reads a number out of JSON.
pub type JsonNumberFn =
    unsafe extern "C" fn(json: *const c_char, length: usize, pointer: *const c_char, value: *mut f64) -> i32;

/// `runner_host`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// The size of this struct.
    pub size: usize,
    /// The runner's [`ABI_MAJOR`].
    pub abi_major: u32,
    /// The runner's [`ABI_MINOR`].
    pub abi_minor: u32,
    /// The runner's version.
    pub version: *const c_char,
    /// Writes a line to the log.
    pub log: LogFn,
    /// Takes the reason of a failure.
    pub fail: FailFn,
    /// Adds a parameter to a list.
    pub add_parameter: AddParameterFn,
    /// Runs a loop on several threads.
    pub parallel_for: ParallelForFn,
    /// Reads a number out of JSON.
    pub json_number: JsonNumberFn,
}

// SAFETY: a table is not changed once made, and its text is static.
unsafe impl Sync for Host {}
// SAFETY: as above.
unsafe impl Send for Host {}

/// `runner_forward`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Forward {
    /// The size of this struct.
    pub size: usize,
    /// [`TRAINING`] or [`EVALUATION`].
    pub mode: i32,
    /// 1 if backward may follow.
    pub backward_follows: i32,
    /// The samples of the batch.
    pub batch: i64,
    /// A random key a sample.
    pub keys: *const u64,
    /// The inputs.
    pub inputs: *const *const DlTensor,
    /// How many.
    pub input_count: usize,
    /// The parameters.
    pub parameters: *const *const DlTensor,
    /// How many.
    pub parameter_count: usize,
    /// Where to write.
    pub output: *mut DlTensor,
    /// Memory that is kept for backward.
    pub scratch: *mut c_void,
    /// How much.
    pub scratch_bytes: usize,
    /// Where work on a GPU goes; null on the CPU. From 1.1 on.
    pub stream: *mut c_void,
}

impl Forward {
    /// The size that the first minor gave it: a host gives at least so much.
    pub const LEAST: usize = offset_of!(Forward, stream);
}

/// `runner_backward`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Backward {
    /// The size of this struct.
    pub size: usize,
    /// As in forward.
    pub mode: i32,
    /// 0
    pub reserved: i32,
    /// As in forward.
    pub batch: i64,
    /// As in forward.
    pub keys: *const u64,
    /// As in forward.
    pub inputs: *const *const DlTensor,
    /// How many.
    pub input_count: usize,
    /// As in forward.
    pub parameters: *const *const DlTensor,
    /// How many.
    pub parameter_count: usize,
    /// As forward left it.
    pub output: *const DlTensor,
    /// The loss's gradient for the output.
    pub output_gradient: *const DlTensor,
    /// Where to add the inputs' gradients; null where none is wanted.
    pub input_gradients: *const *mut DlTensor,
    /// Where to add the parameters' gradients; null where none is wanted.
    pub parameter_gradients: *const *mut DlTensor,
    /// As forward left it.
    pub scratch: *mut c_void,
    /// How much.
    pub scratch_bytes: usize,
    /// As in forward.
    pub stream: *mut c_void,
}

impl Backward {
    /// The size that the first minor gave it: a host gives at least so much.
    pub const LEAST: usize = offset_of!(Backward, stream);
}

/// The shapes of inputs, as functions of a layer take them.
pub type Shapes = *const *const Shape;

/// A function that makes an instance.
pub type CreateFn = unsafe extern "C" fn(
    arguments: *const c_char,
    length: usize,
    instance: *mut *mut c_void,
    sink: *mut Sink,
) -> Status;
/// A function that frees an instance.
pub type DestroyFn = unsafe extern "C" fn(instance: *mut c_void);
/// A function that gives the output's shape.
pub type OutputShapeFn = unsafe extern "C" fn(
    instance: *mut c_void,
    inputs: Shapes,
    input_count: usize,
    output: *mut Shape,
    sink: *mut Sink,
) -> Status;
/// A function that lists parameters.
pub type ParametersFn = unsafe extern "C" fn(
    instance: *mut c_void,
    inputs: Shapes,
    input_count: usize,
    list: *mut Parameters,
    sink: *mut Sink,
) -> Status;
/// A function that gives the bytes of scratch.
pub type ScratchBytesFn =
    unsafe extern "C" fn(instance: *mut c_void, inputs: Shapes, input_count: usize, batch: i64) -> u64;
/// A function that gives the multiply-adds.
pub type MultiplyAddsFn = unsafe extern "C" fn(instance: *mut c_void, inputs: Shapes, input_count: usize) -> u64;
/// A function that computes the output.
pub type ForwardFn = unsafe extern "C" fn(instance: *mut c_void, call: *const Forward, sink: *mut Sink) -> Status;
/// A function that adds to gradients.
pub type BackwardFn = unsafe extern "C" fn(instance: *mut c_void, call: *const Backward, sink: *mut Sink) -> Status;

/// `runner_layer`. A plugin in C may leave any function out, so each is optional here.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// The size of this struct.
    pub size: usize,
    /// As pipelines write it.
    pub name: *const c_char,
    /// What it does.
    pub documentation: *const c_char,
    /// A JSON Schema of the arguments.
    pub schema: *const c_char,
    /// `LAYER_...`
    pub flags: u64,
    /// `DEVICE_...`
    pub devices: u64,
    /// The fewest inputs.
    pub min_inputs: usize,
    /// The most.
    pub max_inputs: usize,
    /// Makes an instance.
    pub create: Option<CreateFn>,
    /// Frees an instance.
    pub destroy: Option<DestroyFn>,
    /// The output's shape.
    pub output_shape: Option<OutputShapeFn>,
    /// Lists the parameters.
    pub parameters: Option<ParametersFn>,
    /// Bytes of scratch.
    pub scratch_bytes: Option<ScratchBytesFn>,
    /// Multiply-adds.
    pub multiply_adds: Option<MultiplyAddsFn>,
    /// Computes the output.
    pub forward: Option<ForwardFn>,
    /// Adds to gradients.
    pub backward: Option<BackwardFn>,
}

// SAFETY: a table is not changed once made, and its texts are static.
unsafe impl Sync for Layer {}
// SAFETY: as above.
unsafe impl Send for Layer {}

/// `runner_plugin_table`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The size of this struct.
    pub size: usize,
    /// The plugin's [`ABI_MAJOR`].
    pub abi_major: u32,
    /// The plugin's [`ABI_MINOR`].
    pub abi_minor: u32,
    /// The plugin's name.
    pub name: *const c_char,
    /// The plugin's version.
    pub version: *const c_char,
    /// How many layers.
    pub layer_count: usize,
    /// The layers.
    pub layers: *const *const Layer,
}

// SAFETY: a table is not changed once made, and what it points to is static.
unsafe impl Sync for Table {}
// SAFETY: as above.
unsafe impl Send for Table {}

/// The type of the symbol [`ENTRY`].
pub type EntryFn = unsafe extern "C" fn(host: *const Host) -> *const Table;
