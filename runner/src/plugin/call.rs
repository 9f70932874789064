//! One use of a plugin's layer over one batch, as an operation of the engine.

use super::guard::{GuardedBackward, GuardedForward};
use super::tensors::Tensors;
use super::{Instance, PluginError};
use crate::engine::{
    EngineError, Foreign, ForeignBackward, ForeignForward, ForeignOnGpu, GpuBackward, GpuForward, Workplace,
};
use runner_plugin_abi as abi;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

/// One use of a layer over one batch.
#[derive(Debug)]
pub struct Call {
    instance: Arc<Instance>,
    training: bool,
    keys: Vec<u64>,
    scratch_bytes: usize,
    guard: bool,
}

impl Call {
    /// A use of `instance` over inputs of these shapes (of one sample), with a random key for each
    /// sample. With `guard`, all buffers are copies between guard words, in the host's memory, and what
    /// comes out is looked at: slow, for finding faults.
    pub fn new(
        instance: Arc<Instance>,
        training: bool,
        keys: Vec<u64>,
        inputs: &[Vec<usize>],
        guard: bool,
    ) -> Result<Self, PluginError> {
        let scratch_bytes = instance.scratch_bytes(inputs, keys.len())?;
        Ok(Call { instance, training, keys, scratch_bytes, guard })
    }

    /// The same with guard words.
    #[must_use]
    pub fn guarded(self) -> Self {
        Call { guard: true, ..self }
    }

    /// Computes the output.
    pub fn run_forward(&self, call: ForeignForward<'_>) -> Result<(), PluginError> {
        if !self.guard {
            return self.call_forward(call);
        }
        let (mut guarded, target) = GuardedForward::new(call);
        self.call_forward(guarded.call())?;
        guarded.finish(target).map_err(|reason| self.instance.fault("forward", reason))
    }

    /// Adds to the gradients that are wanted.
    pub fn run_backward(&self, call: ForeignBackward<'_>) -> Result<(), PluginError> {
        if !self.guard {
            return self.call_backward(call);
        }
        let (mut guarded, targets) = GuardedBackward::new(call);
        self.call_backward(guarded.call())?;
        guarded.finish(targets).map_err(|reason| self.instance.fault("backward", reason))
    }

    fn mode(&self) -> i32 {
        if self.training { abi::TRAINING } else { abi::EVALUATION }
    }

    fn call_forward(&self, mut call: ForeignForward<'_>) -> Result<(), PluginError> {
        let [inputs, parameters] = [Tensors::of(&call.inputs), Tensors::of(&call.params)];
        let tensors = Forward { inputs, parameters, output: Tensors::of_one(&mut call.output) };
        // SAFETY: the tensors live until the end of this function; the scratch has the bytes that
        // `scratch_words` rounds up.
        unsafe { self.ask_forward(&tensors, on_host(call.scratch), call.recorded) }
    }

    fn call_backward(&self, mut call: ForeignBackward<'_>) -> Result<(), PluginError> {
        let tensors = Backward {
            inputs: Tensors::of(&call.inputs),
            parameters: Tensors::of(&call.params),
            output: Tensors::of(&[call.output]),
            output_gradient: Tensors::of(&[call.output_gradient]),
            of_inputs: Tensors::of_wanted(&mut call.input_gradients),
            of_parameters: Tensors::of_wanted(&mut call.param_gradients),
        };
        // SAFETY: as in forward.
        unsafe { self.ask_backward(&tensors, on_host(call.scratch)) }
    }

    /// # Safety
    /// What is pointed to is there: tensors, and the scratch with its stream.
    unsafe fn ask_forward(&self, tensors: &Forward, at: Work, recorded: bool) -> Result<(), PluginError> {
        let Forward { inputs, parameters, output } = tensors;
        let forward = abi::Forward {
            size: size_of::<abi::Forward>(),
            mode: self.mode(),
            backward_follows: i32::from(recorded),
            batch: self.keys.len() as i64,
            keys: self.keys.as_ptr(),
            inputs: inputs.read(),
            input_count: inputs.count(),
            parameters: parameters.read(),
            parameter_count: parameters.count(),
            output: output.first(),
            scratch: at.scratch,
            scratch_bytes: self.scratch_bytes,
            stream: at.stream,
        };
        // SAFETY: as the caller says.
        unsafe { self.instance.forward(&forward) }
    }

    /// # Safety
    /// As for forward.
    unsafe fn ask_backward(&self, tensors: &Backward, at: Work) -> Result<(), PluginError> {
        let Backward { inputs, parameters, output, output_gradient, of_inputs, of_parameters } = tensors;
        let backward = abi::Backward {
            size: size_of::<abi::Backward>(),
            mode: self.mode(),
            reserved: 0,
            batch: self.keys.len() as i64,
            keys: self.keys.as_ptr(),
            inputs: inputs.read(),
            input_count: inputs.count(),
            parameters: parameters.read(),
            parameter_count: parameters.count(),
            output: output.first(),
            output_gradient: output_gradient.first(),
            input_gradients: of_inputs.write(),
            parameter_gradients: of_parameters.write(),
            scratch: at.scratch,
            scratch_bytes: self.scratch_bytes,
            stream: at.stream,
        };
        // SAFETY: as the caller says.
        unsafe { self.instance.backward(&backward) }
    }
}

/// The tensors of a forward call.
struct Forward {
    inputs: Tensors,
    parameters: Tensors,
    output: Tensors,
}

/// The tensors of a backward call.
struct Backward {
    inputs: Tensors,
    parameters: Tensors,
    output: Tensors,
    output_gradient: Tensors,
    of_inputs: Tensors,
    of_parameters: Tensors,
}

/// The scratch of a call, and its stream if it is one on a GPU.
#[derive(Clone, Copy)]
struct Work {
    scratch: *mut c_void,
    stream: *mut c_void,
}

fn on_host(scratch: &mut [u64]) -> Work {
    Work { scratch: scratch.as_mut_ptr().cast(), stream: null_mut() }
}

fn there(at: Workplace) -> Work {
    Work { scratch: at.scratch, stream: at.stream }
}

impl From<PluginError> for EngineError {
    fn from(error: PluginError) -> Self {
        EngineError::Foreign(error.to_string())
    }
}

impl Foreign for Call {
    fn forward(&self, call: ForeignForward<'_>) -> Result<(), EngineError> {
        Ok(self.run_forward(call)?)
    }

    fn backward(&self, call: ForeignBackward<'_>) -> Result<(), EngineError> {
        Ok(self.run_backward(call)?)
    }

    fn scratch_words(&self) -> usize {
        self.scratch_bytes.div_ceil(size_of::<u64>())
    }

    fn keeps_inputs(&self) -> bool {
        self.instance.kind().keeps_inputs()
    }

    fn keeps_output(&self) -> bool {
        self.instance.kind().keeps_output()
    }

    fn on_gpu(&self) -> Option<&dyn ForeignOnGpu> {
        self.instance.kind().works_on_gpu(self.guard).then_some(self as &dyn ForeignOnGpu)
    }
}

impl ForeignOnGpu for Call {
    unsafe fn forward(&self, call: GpuForward<'_>) -> Result<(), EngineError> {
        let GpuForward { at, inputs, params, output, recorded } = call;
        self.instance.tell_of_gpu(at.gpu);
        let [inputs, parameters] = [inputs, params].map(|tensors| Tensors::on(at.gpu, &tensors));
        let tensors = Forward { inputs, parameters, output: Tensors::on(at.gpu, &[output]) };
        // SAFETY: as the caller says; the descriptions of tensors live until the end of this function.
        Ok(unsafe { self.ask_forward(&tensors, there(at), recorded) }?)
    }

    unsafe fn backward(&self, call: GpuBackward<'_>) -> Result<(), EngineError> {
        let gpu = call.at.gpu;
        let tensors = Backward {
            inputs: Tensors::on(gpu, &call.inputs),
            parameters: Tensors::on(gpu, &call.params),
            output: Tensors::on(gpu, &[call.output]),
            output_gradient: Tensors::on(gpu, &[call.output_gradient]),
            of_inputs: Tensors::wanted_on(gpu, &call.input_gradients),
            of_parameters: Tensors::wanted_on(gpu, &call.param_gradients),
        };
        // SAFETY: as in forward.
        Ok(unsafe { self.ask_backward(&tensors, there(call.at)) }?)
    }
}
