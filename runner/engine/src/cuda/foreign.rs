//! Operations from outside of the engine: they run on the host. What they are given is copied there, and what they give
//! back.

use super::super::foreign::{Held, scratch};
use super::super::{Cuda, EngineError, Foreign, ForeignBackward, ForeignForward, Result, Tape, Tensor, View, ViewMut};
use super::buffer::{Flow, Slot, accumulate, named};
use super::gpu::{Place, Values, gpu};
use std::sync::Arc;

/// See [`super::super::Kernels::foreign`].
pub fn foreign(
    tape: &mut Tape<Cuda>,
    operation: Arc<dyn Foreign>,
    inputs: &[Tensor<Cuda>],
    params: &[Tensor<Cuda>],
    output: &[usize],
) -> Result<Tensor<Cuda>> {
    let operands: Vec<&Tensor<Cuda>> = inputs.iter().chain(params).collect();
    let Some(device) = operands.first().map(|first| first.device().clone()) else {
        return Err(EngineError::Foreign("an operation without operands".into()));
    };
    let recorded = tape.records(&operands);
    let mut scratch = scratch(operation.as_ref())?;
    let mut values = vec![0.0; output.iter().product()];
    {
        let copies: Vec<Vec<f32>> = operands.iter().map(|operand| operand.to_vec()).collect();
        let views: Vec<View<'_>> =
            operands.iter().zip(&copies).map(|(operand, copy)| view(operand.dims(), copy)).collect();
        let (of_inputs, of_params) = views.split_at(inputs.len());
        operation.forward(ForeignForward {
            inputs: of_inputs.to_vec(),
            params: of_params.to_vec(),
            output: ViewMut { dims: output, values: &mut values },
            scratch: &mut scratch,
            recorded,
        })?;
    }
    let y = Tensor::from_vec(&device, values, output)?;
    if !recorded {
        return Ok(y);
    }
    let (y, of_output) = y.recorded();
    let way_back = WayBack {
        inputs: inputs.iter().map(|input| Held::new(input, operation.keeps_inputs())).collect(),
        params: params.to_vec(),
        output: Held::new(&y, operation.keeps_output()),
        of_output,
        of_operands: operands.iter().map(|operand| (Slot::wanted(operand), operand.dims().to_vec())).collect(),
        scratch,
        operation,
    };
    let fault = tape.fault();
    tape.push(move |flow| {
        fault.note(way_back.run(flow));
        Ok(())
    });
    Ok(y)
}

fn view<'a>(dims: &'a [usize], values: &'a [f32]) -> View<'a> {
    View { dims, values: Some(values) }
}

struct WayBack {
    operation: Arc<dyn Foreign>,
    inputs: Vec<Held<Cuda>>,
    params: Vec<Tensor<Cuda>>,
    output: Held<Cuda>,
    of_output: Slot,
    /// By input, then by parameter: where its gradient goes, if one is wanted, and its shape.
    of_operands: Vec<(Option<Slot>, Vec<usize>)>,
    scratch: Vec<u64>,
}

impl WayBack {
    fn run(mut self, flow: &mut Flow) -> Result<()> {
        let read = |values: &Values| gpu().and_then(|gpu| gpu.read(values));
        let gradient = named("foreign", self.of_output.take().and_then(|gradient| read(&gradient)))?;
        let held = |held: &Held<Cuda>| held.tensor.as_ref().map(Tensor::to_vec);
        let inputs: Vec<Option<Vec<f32>>> = self.inputs.iter().map(held).collect();
        let params: Vec<Vec<f32>> = self.params.iter().map(Tensor::to_vec).collect();
        let output = held(&self.output);
        let zeros = |(slot, dims): &(Option<Slot>, Vec<usize>)| slot.as_ref().map(|_| vec![0.0; dims.iter().product()]);
        let mut sums: Vec<Option<Vec<f32>>> = self.of_operands.iter().map(zeros).collect();
        let mut slots = self
            .of_operands
            .iter()
            .zip(&mut sums)
            .map(|((_, dims), sums)| sums.as_mut().map(|values| ViewMut { dims, values: values.as_mut_slice() }));
        let input_gradients = slots.by_ref().take(self.inputs.len()).collect();
        let param_gradients = slots.collect();
        let of_inputs = self.inputs.iter().zip(&inputs);
        self.operation.backward(ForeignBackward {
            inputs: of_inputs.map(|(held, values)| View { dims: &held.dims, values: values.as_deref() }).collect(),
            params: self.params.iter().zip(&params).map(|(param, values)| view(param.dims(), values)).collect(),
            output: View { dims: &self.output.dims, values: output.as_deref() },
            output_gradient: view(&self.output.dims, &gradient),
            input_gradients,
            param_gradients,
            scratch: &mut self.scratch,
        })?;
        for ((slot, _), sums) in self.of_operands.iter().zip(sums) {
            if let (Some(slot), Some(sums)) = (slot, sums) {
                let len = sums.len();
                let copied = gpu().and_then(|gpu| gpu.copied(sums));
                let added = copied.and_then(|sums| slot.add(flow, |to| accumulate(to, Place::of(&sums), len)));
                named("foreign", added)?;
            }
        }
        Ok(())
    }
}
