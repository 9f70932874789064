//! One use of a plugin's layer over one batch, as an operation of the engine.

use super::guard::{GuardedBackward, GuardedForward};
use super::tensors::Tensors;
use super::{Instance, PluginError};
use crate::engine::{EngineError, Foreign, ForeignBackward, ForeignForward};
use runner_plugin_abi as abi;
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
    /// sample. With `guard`, all buffers are copies between guard words, and what comes out is looked
    /// at: slow, for finding faults.
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
        let (inputs, parameters) = (Tensors::of(&call.inputs), Tensors::of(&call.params));
        let output = Tensors::of_one(&mut call.output);
        let forward = abi::Forward {
            size: size_of::<abi::Forward>(),
            mode: self.mode(),
            backward_follows: i32::from(call.recorded),
            batch: self.keys.len() as i64,
            keys: self.keys.as_ptr(),
            inputs: inputs.read(),
            input_count: inputs.count(),
            parameters: parameters.read(),
            parameter_count: parameters.count(),
            output: output.first(),
            scratch: call.scratch.as_mut_ptr().cast(),
            scratch_bytes: self.scratch_bytes,
        };
        // SAFETY: the tensors live until the end of this function; the scratch has the bytes that
        // `scratch_words` rounds up.
        unsafe { self.instance.forward(&forward) }
    }

    fn call_backward(&self, mut call: ForeignBackward<'_>) -> Result<(), PluginError> {
        let (inputs, parameters) = (Tensors::of(&call.inputs), Tensors::of(&call.params));
        let (output, gradient) = (Tensors::of(&[call.output]), Tensors::of(&[call.output_gradient]));
        let of_inputs = Tensors::of_wanted(&mut call.input_gradients);
        let of_parameters = Tensors::of_wanted(&mut call.param_gradients);
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
            output_gradient: gradient.first(),
            input_gradients: of_inputs.write(),
            parameter_gradients: of_parameters.write(),
            scratch: call.scratch.as_mut_ptr().cast(),
            scratch_bytes: self.scratch_bytes,
        };
        // SAFETY: as in forward.
        unsafe { self.instance.backward(&backward) }
    }
}

impl Foreign for Call {
    fn forward(&self, call: ForeignForward<'_>) -> Result<(), EngineError> {
        self.run_forward(call).map_err(|error| EngineError::Foreign(error.to_string()))
    }

    fn backward(&self, call: ForeignBackward<'_>) -> Result<(), EngineError> {
        self.run_backward(call).map_err(|error| EngineError::Foreign(error.to_string()))
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
}
