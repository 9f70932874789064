//! Foreign operations on the CPU: they work on the tensors' own memory, and nothing is copied.

use super::super::foreign::{Foreign, ForeignBackward, ForeignForward, Held, View, ViewMut, scratch};
use super::super::{Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::{Backward, Flow, Slot};
use std::sync::Arc;

/// See [`super::super::Kernels::foreign`].
pub fn foreign(
    tape: &mut Tape<Cpu>,
    operation: Arc<dyn Foreign>,
    inputs: &[Tensor<Cpu>],
    params: &[Tensor<Cpu>],
    output: &[usize],
) -> Result<Tensor<Cpu>> {
    let operands: Vec<&Tensor<Cpu>> = inputs.iter().chain(params).collect();
    let Some(first) = operands.first() else {
        return Err(EngineError::Foreign("an operation without operands".into()));
    };
    let recorded = tape.records(&operands);
    let mut scratch = scratch(operation.as_ref())?;
    let mut done = Ok(());
    let y = Tensor::filled(first.device(), output, |values| {
        done = operation.forward(ForeignForward {
            inputs: inputs.iter().map(view).collect(),
            params: params.iter().map(view).collect(),
            output: ViewMut { dims: output, values },
            scratch: &mut scratch,
            recorded,
        });
    })?;
    done?;
    if !recorded {
        return Ok(y);
    }
    let (y, of_output) = y.recorded();
    let way_back = WayBack {
        inputs: inputs.iter().map(|input| Held::new(input, operation.keeps_inputs())).collect(),
        params: params.to_vec(),
        output: Held::new(&y, operation.keeps_output()),
        of_output,
        of_operands: inputs.iter().chain(params).map(Target::of).collect(),
        scratch,
        operation,
    };
    let fault = tape.fault();
    tape.push(move |flow| {
        fault.note(way_back.run(flow)?);
        Ok(())
    });
    Ok(y)
}

fn view(tensor: &Tensor<Cpu>) -> View<'_> {
    View { dims: tensor.dims(), values: Some(tensor.values()) }
}

fn view_held(held: &Held<Cpu>) -> View<'_> {
    View { dims: &held.dims, values: held.tensor.as_ref().map(Tensor::values) }
}

/// Where the gradient of an operand goes, if one is wanted.
struct Target {
    slot: Option<Slot>,
    dims: Vec<usize>,
}

impl Target {
    fn of(operand: &Tensor<Cpu>) -> Self {
        Target { slot: Slot::wanted(operand), dims: operand.dims().to_vec() }
    }
}

struct WayBack {
    operation: Arc<dyn Foreign>,
    inputs: Vec<Held<Cpu>>,
    params: Vec<Tensor<Cpu>>,
    output: Held<Cpu>,
    of_output: Slot,
    /// By input, then by parameter.
    of_operands: Vec<Target>,
    scratch: Vec<u64>,
}

impl WayBack {
    /// The outer result is the device's, the inner one the operation's.
    fn run(mut self, flow: &mut Flow) -> Backward<Result<()>> {
        let gradient = self.of_output.take(flow)?;
        // All are needed at once, so each is moved out, and back again.
        let mut moved: Vec<Option<Vec<f32>>> = Vec::with_capacity(self.of_operands.len());
        for target in &self.of_operands {
            moved.push(target.slot.as_ref().map(|slot| slot.take(flow)).transpose()?);
        }
        let mut slots = self.of_operands.iter().zip(&mut moved).map(|(target, moved)| {
            moved.as_mut().map(|values| ViewMut { dims: &target.dims, values: values.as_mut_slice() })
        });
        let input_gradients = slots.by_ref().take(self.inputs.len()).collect();
        let param_gradients = slots.collect();
        let done = self.operation.backward(ForeignBackward {
            inputs: self.inputs.iter().map(view_held).collect(),
            params: self.params.iter().map(view).collect(),
            output: view_held(&self.output),
            output_gradient: View { dims: &self.output.dims, values: Some(&gradient) },
            input_gradients,
            param_gradients,
            scratch: &mut self.scratch,
        });
        for (target, values) in self.of_operands.iter().zip(moved) {
            if let (Some(slot), Some(values)) = (&target.slot, values) {
                slot.put(flow, values)?;
            }
        }
        Ok(done)
    }
}
