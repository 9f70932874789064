//! Operations from outside of the engine. One that takes memory of the GPU is given that; another runs on the host, and
//! what it is given is copied there, and what it gives back.

use super::super::foreign::{Held, HostGradient, through_host};
use super::super::{
    Cuda, EngineError, Foreign, ForeignOnGpu, GpuBackward, GpuForward, GpuTensor, Result, Tape, Tensor,
};
use super::buffer::{Flow, Slot, accumulate, named, written};
use super::gpu::{Gpu, Place, Run, Values, gpu};
use cudarc::driver::CudaSlice;
use std::sync::Arc;

/// See [`super::super::Kernels::foreign`].
pub fn foreign(
    tape: &mut Tape<Cuda>,
    operation: Arc<dyn Foreign>,
    inputs: &[Tensor<Cuda>],
    params: &[Tensor<Cuda>],
    output: &[usize],
) -> Result<Tensor<Cuda>> {
    if operation.on_gpu().is_some() {
        in_place(tape, operation, inputs, params, output)
    } else {
        through_host::<_, Slot>(tape, operation, inputs, params, output)
    }
}

impl HostGradient<Cuda> for Slot {
    fn of(operand: &Tensor<Cuda>) -> Self {
        Slot::of(operand)
    }

    fn recorded(y: Tensor<Cuda>) -> (Tensor<Cuda>, Self) {
        y.recorded()
    }

    fn read(&self, _: &mut Flow) -> Result<Vec<f32>> {
        named("foreign", self.take().and_then(|gradient| gpu()?.read(&gradient)))
    }

    fn add(&self, flow: &mut Flow, values: Vec<f32>) -> Result<()> {
        let len = values.len();
        let copied = gpu().and_then(|gpu| gpu.copied(values));
        named("foreign", copied.and_then(|values| self.add(flow, |to| accumulate(to, Place::of(&values), len))))
    }
}

/// Runs an operation on the tensors' own memory.
///
/// An error on the way back is kept by the tape, which tells it when it has been run.
fn in_place(
    tape: &mut Tape<Cuda>,
    operation: Arc<dyn Foreign>,
    inputs: &[Tensor<Cuda>],
    params: &[Tensor<Cuda>],
    output: &[usize],
) -> Result<Tensor<Cuda>> {
    let operands: Vec<&Tensor<Cuda>> = inputs.iter().chain(params).collect();
    let Some(first) = operands.first() else {
        return Err(EngineError::Foreign("an operation without operands".into()));
    };
    let recorded = tape.records(&operands);
    let scratch = named("foreign", gpu().and_then(|gpu| zeroed(gpu, operation.scratch_words())))?;
    let mut done = Ok(());
    let y = written("foreign", first.device(), output, |gpu, y| {
        let call = GpuForward {
            at: gpu.workplace(&scratch)?,
            inputs: inputs.iter().map(whole).collect::<Run<_>>()?,
            params: params.iter().map(whole).collect::<Run<_>>()?,
            output: at(output, y),
            recorded,
        };
        // SAFETY: the places are those of tensors that live as long as the call, of a new one, and of the scratch; memory is
        // freed in the order of the stream. The workplace has made the context current.
        done = there(operation.as_ref()).and_then(|operation| unsafe { operation.forward(call) });
        Ok(())
    })?;
    done?;
    if !recorded {
        return Ok(y);
    }
    let (y, of_output) = y.recorded();
    let target = |operand: &Tensor<Cuda>| (Slot::wanted(operand), operand.dims().to_vec());
    let way_back = WayBack {
        inputs: inputs.iter().map(|input| Held::new(input, operation.keeps_inputs())).collect(),
        params: params.to_vec(),
        output: Held::new(&y, operation.keeps_output()),
        of_output,
        of_operands: inputs.iter().chain(params).map(target).collect(),
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

struct WayBack {
    operation: Arc<dyn Foreign>,
    inputs: Vec<Held<Cuda>>,
    params: Vec<Tensor<Cuda>>,
    output: Held<Cuda>,
    of_output: Slot,
    /// By input, then by parameter: where its gradient goes, if one is wanted, and its shape.
    of_operands: Vec<(Option<Slot>, Vec<usize>)>,
    scratch: CudaSlice<u64>,
}

impl WayBack {
    /// The outer result is the device's, the inner one the operation's.
    fn run(self, flow: &mut Flow) -> Run<Result<()>> {
        let gpu = gpu()?;
        let gradient = self.of_output.take()?;
        // All are needed at once, so each is moved out, or begun with zeros, and then given back.
        let mut sums: Vec<Option<Values>> = Vec::with_capacity(self.of_operands.len());
        for (slot, _) in &self.of_operands {
            sums.push(slot.as_ref().map(Slot::take).transpose()?);
        }
        let mut places = self.of_operands.iter().zip(&sums).map(|((_, dims), sums)| {
            let sums = sums.as_ref()?;
            Some(at(dims, Place::of(sums)))
        });
        let input_gradients = places.by_ref().take(self.inputs.len()).collect();
        let param_gradients = places.collect();
        let call = GpuBackward {
            at: gpu.workplace(&self.scratch)?,
            inputs: self.inputs.iter().map(held).collect::<Run<_>>()?,
            params: self.params.iter().map(whole).collect::<Run<_>>()?,
            output: held(&self.output)?,
            output_gradient: at(&self.output.dims, Place::of(&gradient)),
            input_gradients,
            param_gradients,
        };
        // SAFETY: as on the way forward; the gradients are as large as their tensors.
        let done = there(self.operation.as_ref()).and_then(|operation| unsafe { operation.backward(call) });
        for ((slot, _), sums) in self.of_operands.iter().zip(sums) {
            if let (Some(slot), Some(sums)) = (slot, sums) {
                slot.give(flow, sums)?;
            }
        }
        Ok(done)
    }
}

/// The operation on the GPU.
fn there(operation: &dyn Foreign) -> Result<&dyn ForeignOnGpu> {
    operation.on_gpu().ok_or_else(|| EngineError::Foreign("the operation does not work on a GPU any more".into()))
}

fn zeroed(gpu: &Gpu, words: usize) -> Run<CudaSlice<u64>> {
    let scratch = gpu.room_of(words)?;
    if words > 0 {
        gpu.clear(Place::of(&scratch), words * (size_of::<u64>() / size_of::<f32>()))?;
    }
    Ok(scratch)
}

fn at(dims: &[usize], place: Place) -> GpuTensor<'_> {
    GpuTensor { dims, values: place.0 as *mut f32 }
}

fn whole(tensor: &Tensor<Cuda>) -> Run<GpuTensor<'_>> {
    Ok(at(tensor.dims(), tensor.place()?))
}

fn held(held: &Held<Cuda>) -> Run<GpuTensor<'_>> {
    let place = held.tensor.as_ref().map_or(Ok(Place::NONE), Tensor::place)?;
    Ok(at(&held.dims, place))
}
