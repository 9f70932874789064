//! A layer that a plugin made.

use super::error::{FAILED, PANICKED};
use super::host::{Listed, Reason};
use super::{Kind, PluginError};
use runner_plugin_abi as abi;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

/// A layer that a plugin made of arguments.
#[derive(Debug)]
pub struct Instance {
    kind: Arc<Kind>,
    pointer: *mut c_void,
    /// Held during calls of a layer that is not safe to use by several threads at once.
    turn: Mutex<()>,
    /// Whether the log says that it works on a GPU.
    told: Once,
}

// SAFETY: the interface asks that an instance may be used by any thread, one at a time.
unsafe impl Send for Instance {}
// SAFETY: `turn` lets one thread in at a time, except where the layer says that it need not.
unsafe impl Sync for Instance {}

/// A parameter that a layer lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name within the layer.
    pub name: String,
    /// The shape.
    pub dims: Vec<usize>,
    /// How the first values are made.
    pub init: ParameterInit,
    /// Whether weight decay moves it.
    pub weight_decay: bool,
}

/// How the first values of a parameter are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParameterInit {
    /// All are this.
    Constant(f32),
    /// Uniform between these.
    Uniform(f32, f32),
    /// Normal.
    Normal {
        /// The mean.
        mean: f32,
        /// The standard deviation.
        std: f32,
    },
    /// As the pipeline initialises weights.
    Weight {
        /// Values that flow into one output.
        fan_in: usize,
        /// Values that flow out of one input.
        fan_out: usize,
    },
}

/// The most bytes of scratch that a layer may ask for.
const MAX_SCRATCH: u64 = 1 << 40;

/// Whether a tensor of this shape has more values than any layer works with.
pub(super) fn is_too_large(dims: &[usize]) -> bool {
    let values = dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    values.is_none_or(|values| values > u32::MAX as usize)
}

impl Instance {
    /// Makes a layer of arguments, which the kind's schema takes.
    pub fn create(kind: &Arc<Kind>, arguments: &serde_json::Value) -> Result<Self, PluginError> {
        let text = arguments.to_string();
        Self::create_of_text(kind, &text)
    }

    /// Makes a layer of a text that need not be what the layer takes.
    pub fn create_of_text(kind: &Arc<Kind>, text: &str) -> Result<Self, PluginError> {
        let length = text.len();
        let text = CString::new(text).map_err(|_| fault(kind, "create", "was given a zero byte"))?;
        let mut pointer = std::ptr::null_mut();
        // SAFETY: a text of this length that ends in a zero byte, and a place for a pointer.
        let create = |sink| unsafe { (kind.functions.create)(text.as_ptr(), length, &raw mut pointer, sink) };
        checked(kind, "create", create)?;
        Ok(Instance { kind: kind.clone(), pointer, turn: Mutex::new(()), told: Once::new() })
    }

    /// What kind of layer it is.
    pub fn kind(&self) -> &Arc<Kind> {
        &self.kind
    }

    /// The shape of the output for one sample, of those of the inputs.
    pub fn output_shape(&self, inputs: &[Vec<usize>]) -> Result<Vec<usize>, PluginError> {
        self.kind.takes(inputs.len()).map_err(|reason| self.fault("output_shape", reason))?;
        let shapes = Shapes::new(&self.kind, inputs)?;
        let mut output = abi::Shape { size: size_of::<abi::Shape>(), rank: 0, dims: [0; abi::MAX_RANK] };
        let turn = self.turn();
        self.checked("output_shape", |sink| {
            // SAFETY: as many shapes as are said, and a place for one.
            unsafe {
                (self.kind.functions.output_shape)(self.pointer, shapes.pointer(), inputs.len(), &raw mut output, sink)
            }
        })?;
        drop(turn);
        let dims: Option<Vec<usize>> = output
            .dims()
            .and_then(|dims| dims.iter().map(|&dim| usize::try_from(dim).ok().filter(|&dim| dim > 0)).collect());
        match dims {
            Some(dims) if is_too_large(&dims) => {
                Err(self.fault("output_shape", format!("gave a shape that is too large: {dims:?}")))
            }
            Some(dims) if matches!(dims.len(), 1 | 3) => Ok(dims),
            _ => {
                let given =
                    output.dims().map_or_else(|| format!("of {} dimensions", output.rank), |dims| format!("{dims:?}"));
                let reason = format!("gave a shape that is neither (H, W, C) nor (F): {given}");
                Err(self.fault("output_shape", reason))
            }
        }
    }

    /// The parameters over inputs of these shapes.
    pub fn parameters(&self, inputs: &[Vec<usize>]) -> Result<Vec<Parameter>, PluginError> {
        let Some(parameters) = self.kind.functions.parameters else { return Ok(Vec::new()) };
        let shapes = Shapes::new(&self.kind, inputs)?;
        let mut listed = Listed::default();
        let turn = self.turn();
        self.checked("parameters", |sink| {
            // SAFETY: as many shapes as are said, and a list that lives as long as the call.
            unsafe { parameters(self.pointer, shapes.pointer(), inputs.len(), listed.list(), sink) }
        })?;
        drop(turn);
        let Listed { parameters, mut fault } = listed;
        for (i, parameter) in parameters.iter().enumerate() {
            if parameters.iter().take(i).any(|other| other.name == parameter.name) {
                fault = fault.or(Some(format!("two parameters are called `{}`", parameter.name)));
            }
        }
        if !parameters.is_empty() && !self.kind.has_parameters() {
            fault = fault.or(Some("it has parameters without the flag that says so".into()));
        }
        match fault {
            None => Ok(parameters),
            Some(fault) => Err(self.fault("parameters", format!("is wrong: {fault}"))),
        }
    }

    /// Bytes of scratch for a batch.
    pub fn scratch_bytes(&self, inputs: &[Vec<usize>], batch: usize) -> Result<usize, PluginError> {
        let Some(scratch_bytes) = self.kind.functions.scratch_bytes else { return Ok(0) };
        let shapes = Shapes::new(&self.kind, inputs)?;
        let _turn = self.turn();
        // SAFETY: as many shapes as are said.
        let bytes = unsafe { scratch_bytes(self.pointer, shapes.pointer(), inputs.len(), batch as i64) };
        if bytes > MAX_SCRATCH {
            return Err(self.fault("scratch_bytes", format!("asks for {bytes} bytes")));
        }
        Ok(bytes as usize)
    }

    /// Multiply-adds for one sample.
    pub fn multiply_adds(&self, inputs: &[Vec<usize>]) -> u64 {
        let (Some(multiply_adds), Ok(shapes)) = (self.kind.functions.multiply_adds, Shapes::new(&self.kind, inputs))
        else {
            return 0;
        };
        let _turn = self.turn();
        // SAFETY: as many shapes as are said.
        unsafe { multiply_adds(self.pointer, shapes.pointer(), inputs.len()) }
    }

    /// Calls forward.
    ///
    /// # Safety
    /// The call's pointers are what the interface says.
    pub(super) unsafe fn forward(&self, call: &abi::Forward) -> Result<(), PluginError> {
        let _turn = self.turn();
        // SAFETY: as the caller says.
        self.checked("forward", |sink| unsafe { (self.kind.functions.forward)(self.pointer, call, sink) })
    }

    /// Calls backward.
    ///
    /// # Safety
    /// The call's pointers are what the interface says.
    pub(super) unsafe fn backward(&self, call: &abi::Backward) -> Result<(), PluginError> {
        let _turn = self.turn();
        // SAFETY: as the caller says.
        self.checked("backward", |sink| unsafe { (self.kind.functions.backward)(self.pointer, call, sink) })
    }

    /// Says in the log, once, that the layer is given tensors of a GPU.
    pub(super) fn tell_of_gpu(&self, number: usize) {
        self.told.call_once(|| {
            tracing::debug!(
                "layer `{}` of plugin `{}` is given tensors of GPU {number}",
                self.kind.name(),
                self.kind.plugin()
            );
        });
    }

    /// An error of one of its functions.
    pub fn fault(&self, function: &'static str, reason: impl Into<String>) -> PluginError {
        fault(&self.kind, function, reason)
    }

    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        (!self.kind.is_thread_safe()).then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn checked(
        &self,
        function: &'static str,
        call: impl FnOnce(*mut abi::Sink) -> abi::Status,
    ) -> Result<(), PluginError> {
        checked(&self.kind, function, call)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(destroy) = self.kind.functions.destroy {
            // SAFETY: the plugin made it, and nothing points to it any more.
            unsafe { destroy(self.pointer) };
        }
    }
}

fn fault(kind: &Kind, function: &'static str, reason: impl Into<String>) -> PluginError {
    PluginError::Call { plugin: kind.plugin().into(), layer: kind.name().into(), function, reason: reason.into() }
}

/// Calls a function with a sink, and turns its status into a result.
fn checked(
    kind: &Kind,
    function: &'static str,
    call: impl FnOnce(*mut abi::Sink) -> abi::Status,
) -> Result<(), PluginError> {
    let reason = Reason::default();
    let status = call(reason.sink());
    let said = reason.said();
    let said = said.as_deref().map_or("it gave no reason", str::trim);
    match status {
        abi::OK => Ok(()),
        abi::PANIC => Err(fault(kind, function, format!("{PANICKED}{said}"))),
        abi::ERROR => Err(fault(kind, function, format!("{FAILED}{said}"))),
        other => Err(fault(kind, function, format!("failed with status {other}: {said}"))),
    }
}

/// Shapes as functions of a layer take them.
struct Shapes {
    pointers: Vec<*const abi::Shape>,
    _shapes: Vec<abi::Shape>,
}

impl Shapes {
    fn new(kind: &Kind, dims: &[Vec<usize>]) -> Result<Self, PluginError> {
        let shape = |dims: &Vec<usize>| {
            let dims: Vec<i64> = dims.iter().map(|&dim| dim as i64).collect();
            abi::Shape::new(&dims)
                .ok_or_else(|| fault(kind, "output_shape", "cannot take a shape of so many dimensions"))
        };
        let shapes: Vec<abi::Shape> = dims.iter().map(shape).collect::<Result<_, _>>()?;
        Ok(Shapes { pointers: shapes.iter().map(std::ptr::from_ref).collect(), _shapes: shapes })
    }

    fn pointer(&self) -> abi::Shapes {
        self.pointers.as_ptr()
    }
}
