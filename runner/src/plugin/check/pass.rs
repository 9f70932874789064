//! A pass forward and the way back, on tensors that lie here.

use super::case::{BATCH, Case, Operands, batch_of};
use super::tensor::{Tensor, key};
use crate::engine::{Foreign, ForeignBackward, ForeignForward, View, ViewMut};
use crate::plugin::guard;
use crate::plugin::{Call, PluginError};

/// How a pass is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    pub training: bool,
    /// What the samples' random keys are drawn from.
    pub seed: u64,
    /// Whether buffers lie between guard words.
    pub guard: bool,
    /// Whether the way back may follow.
    pub recorded: bool,
}

impl Mode {
    pub const EVALUATION: Mode = Mode { training: false, seed: 0, guard: true, recorded: true };
    pub const TRAINING: Mode = Mode { training: true, ..Mode::EVALUATION };

    /// The same with other random keys.
    pub fn seeded(self, seed: u64) -> Self {
        Mode { seed, ..self }
    }

    /// The same without guard words.
    pub fn unguarded(self) -> Self {
        Mode { guard: false, ..self }
    }

    /// The same without a way back.
    pub fn unrecorded(self) -> Self {
        Mode { recorded: false, ..self }
    }

    fn keys(self) -> Vec<u64> {
        (0..BATCH as u64).map(|row| key("samples").with(self.seed).with(row).word()).collect()
    }
}

/// Where gradients are added: by input, then by parameter; those that are not wanted are none.
pub type Gradients = Vec<Option<Tensor>>;

/// A pass forward.
#[derive(Debug)]
pub struct Pass<'a> {
    operands: &'a Operands,
    call: Call,
    dims: Vec<usize>,
    /// What it gave.
    pub output: Vec<f32>,
    scratch: Vec<u64>,
}

impl<'a> Pass<'a> {
    /// Computes the output.
    pub fn forward(case: &Case, operands: &'a Operands, mode: Mode) -> Result<Self, PluginError> {
        let call = Call::new(case.instance.clone(), mode.training, mode.keys(), &case.inputs, mode.guard)?;
        let dims = batch_of(&case.output);
        let (mut output, mut scratch) = (vec![0.0; dims.iter().product()], vec![0; call.scratch_words()]);
        let mut inputs: Vec<View<'_>> = operands.tensors.iter().map(view).collect();
        let params = inputs.split_off(operands.inputs);
        call.run_forward(ForeignForward {
            inputs,
            params,
            output: ViewMut { dims: &dims, values: &mut output },
            scratch: &mut scratch,
            recorded: mode.recorded,
        })?;
        Ok(Pass { operands, call, dims, output, scratch })
    }

    /// Adds to the gradients that are wanted. May be done several times: the scratch is as forward
    /// left it each time.
    pub fn backward(&self, output_gradient: &[f32], gradients: &mut Gradients) -> Result<(), PluginError> {
        let mut inputs: Vec<View<'_>> = self.operands.tensors.iter().map(view).collect();
        let params = inputs.split_off(self.operands.inputs);
        for input in inputs.iter_mut().filter(|_| !self.call.keeps_inputs()) {
            input.values = None;
        }
        let output = self.call.keeps_output().then_some(&self.output[..]);
        let mut wanted: Vec<Option<ViewMut<'_>>> =
            gradients.iter_mut().map(|wanted| wanted.as_mut().map(target)).collect();
        let param_gradients = wanted.split_off(self.operands.inputs);
        self.call.run_backward(ForeignBackward {
            inputs,
            params,
            output: View { dims: &self.dims, values: output },
            output_gradient: View { dims: &self.dims, values: Some(output_gradient) },
            input_gradients: wanted,
            param_gradients,
            scratch: &mut self.scratch.clone(),
        })
    }

    /// All gradients, added to zeros.
    pub fn gradients(&self, output_gradient: &[f32]) -> Result<Gradients, PluginError> {
        let mut gradients = self.operands.tensors.iter().map(|tensor| Some(tensor.like(|| 0.0))).collect();
        self.backward(output_gradient, &mut gradients)?;
        Ok(gradients)
    }

    /// The name of a value of the output: `output[0, 3, 2, 1]`.
    pub fn at(&self, place: usize) -> String {
        format!("output{}", guard::at(&self.dims, place))
    }
}

fn view(tensor: &Tensor) -> View<'_> {
    View { dims: &tensor.dims, values: Some(&tensor.values) }
}

fn target(tensor: &mut Tensor) -> ViewMut<'_> {
    ViewMut { dims: &tensor.dims, values: &mut tensor.values }
}
