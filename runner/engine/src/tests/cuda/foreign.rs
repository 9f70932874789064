//! Foreign operations on a GPU: through the host, and in place.

use super::*;
use crate::cuda::{Place, gpu as opened};
use crate::{
    EngineError, Foreign, ForeignBackward, ForeignForward, ForeignOnGpu, GpuBackward, GpuForward, GpuTensor, Result,
};
use std::sync::Arc;

/// `a * b`, for as many parameters as inputs.
struct Times;

impl Foreign for Times {
    fn forward(&self, call: ForeignForward<'_>) -> Result<()> {
        let (a, b) = (call.inputs[0].values.unwrap(), call.params[0].values.unwrap());
        call.output.values.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (a, b))| *y = a * b);
        Ok(())
    }

    fn backward(&self, mut call: ForeignBackward<'_>) -> Result<()> {
        let (a, b) = (call.inputs[0].values.unwrap(), call.params[0].values.unwrap());
        let g = call.output_gradient.values.unwrap();
        for (slots, other) in [(&mut call.input_gradients, b), (&mut call.param_gradients, a)] {
            if let Some(slot) = &mut slots[0] {
                slot.values.iter_mut().zip(g.iter().zip(other)).for_each(|(to, (g, other))| *to += g * other);
            }
        }
        Ok(())
    }
}

#[test]
fn foreign_operations_run_on_the_host() {
    let operands = vec![normal(1, &[3, 5]), normal(2, &[3, 5])];
    compare!("foreign", operands, 2, |tape, o| {
        // Between others: its operands and its result have gradients on their way.
        let x = D::activate(tape, &o[0], Activation::Silu)?;
        let y = D::foreign(tape, Arc::new(Times), &[x], &o[1..], &[3, 5])?;
        D::activate(tape, &y, Activation::Sigmoid)
    });
}

/// `y = a * b`, on a GPU where there is one, and on the host only if that is expected.
struct TimesThere {
    on_host: bool,
    fails: bool,
}

impl Foreign for TimesThere {
    fn forward(&self, call: ForeignForward<'_>) -> Result<()> {
        assert!(self.on_host, "it was to run on the GPU");
        assert_eq!(call.scratch, [0; 3]);
        Times.forward(call)
    }

    fn backward(&self, call: ForeignBackward<'_>) -> Result<()> {
        Times.backward(call)
    }

    fn scratch_words(&self) -> usize {
        3
    }

    fn keeps_output(&self) -> bool {
        false
    }

    fn on_gpu(&self) -> Option<&dyn ForeignOnGpu> {
        (!self.on_host).then_some(self as &dyn ForeignOnGpu)
    }
}

impl ForeignOnGpu for TimesThere {
    unsafe fn forward(&self, call: GpuForward<'_>) -> Result<()> {
        assert_eq!((call.at.gpu, call.at.stream.is_null(), call.output.dims), (0, false, &[3_usize, 5][..]));
        multiply(call.output, call.inputs[0], call.params[0], false);
        // What backward finds there.
        let words = Place(call.at.scratch as u64);
        opened().unwrap().copy(words, place(call.inputs[0]), 6).unwrap();
        Ok(())
    }

    unsafe fn backward(&self, call: GpuBackward<'_>) -> Result<()> {
        if self.fails {
            return Err(EngineError::Foreign("not on the way back".into()));
        }
        assert!(call.output.values.is_null());
        let left = read(call.at.scratch as u64, 6);
        assert_eq!(left, read(call.inputs[0].values as u64, 6));
        for (slot, other) in [(call.input_gradients[0], call.params[0]), (call.param_gradients[0], call.inputs[0])] {
            if let Some(slot) = slot {
                multiply(slot, call.output_gradient, other, true);
            }
        }
        Ok(())
    }
}

fn place(tensor: GpuTensor<'_>) -> Place {
    Place(tensor.values as u64)
}

/// `to = a * b`, or `to += a * b`
fn multiply(to: GpuTensor<'_>, a: GpuTensor<'_>, b: GpuTensor<'_>, add: bool) {
    let count: usize = to.dims.iter().product();
    let places = [to, a, b].map(|tensor| place(tensor).into());
    let of_row = (to.dims[1] as i32).into();
    let counts = [count.into(), of_row, of_row, add.into()];
    opened().unwrap().each("scale", count, &[&places[..], &counts].concat()).unwrap();
}

/// Values at an address of the GPU.
fn read(address: u64, len: usize) -> Vec<f32> {
    let gpu = opened().unwrap();
    let copy = gpu.room(len).unwrap();
    gpu.copy(Place::of(&copy), Place(address), len).unwrap();
    gpu.read(&copy).unwrap()
}

fn is_cpu<D: 'static>() -> bool {
    std::any::TypeId::of::<D>() == std::any::TypeId::of::<Cpu>()
}

/// The operation as it is to run by these kernels.
fn times_there(on_cpu: bool, kernels: KernelSet) -> Arc<dyn Foreign> {
    Arc::new(TimesThere { on_host: on_cpu || kernels == KernelSet::Assembled, fails: false })
}

#[test]
fn foreign_operations_run_on_the_gpu() {
    let operands = vec![normal(1, &[3, 5]), normal(2, &[3, 5])];
    compare!("foreign on the GPU", operands, 2, |tape, o| {
        let times = times_there(is_cpu::<D>(), tape.kernels());
        // Between others: its operands and its result have gradients on their way, and one operand is used twice.
        let x = D::activate(tape, &o[0], Activation::Silu)?;
        let y = D::foreign(tape, times, std::slice::from_ref(&x), &o[1..], &[3, 5])?;
        let y = D::add(tape, &y, &x, None)?;
        D::activate(tape, &y, Activation::Sigmoid)
    });
}

#[test]
fn an_error_on_the_way_back_on_the_gpu_is_told() {
    let Some(gpu) = gpu() else { return };
    let operands = [normal(1, &[3, 5]), normal(2, &[3, 5])];
    let operands = tensors(&*gpu, &operands, &[0, 1]);
    let mut tape = Tape::recording(KernelSet::Fast);
    let operation = Arc::new(TimesThere { on_host: false, fails: true });
    let y = Cuda::foreign(&mut tape, operation, &operands[..1], &operands[1..], &[3, 5]).unwrap();
    let ones = Tensor::from_vec(&*gpu, vec![1.0; 15], &[15, 1]).unwrap();
    let sum = Cuda::matmul(&mut tape, &y.reshape(&[1, 15]).unwrap(), &ones).unwrap();
    let error = tape.backward(&sum.reshape(&[]).unwrap()).err().unwrap();
    assert_eq!(error.to_string(), "not on the way back");
}
