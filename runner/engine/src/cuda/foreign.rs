//! Operations from outside of the engine: they run on the host. What they are given is copied there, and what they give
//! back.

use super::super::foreign::{HostGradient, through_host};
use super::super::{Cuda, Foreign, Result, Tape, Tensor};
use super::buffer::{Flow, Slot, accumulate, named};
use super::gpu::{Place, gpu};
use std::sync::Arc;

/// See [`super::super::Kernels::foreign`].
pub fn foreign(
    tape: &mut Tape<Cuda>,
    operation: Arc<dyn Foreign>,
    inputs: &[Tensor<Cuda>],
    params: &[Tensor<Cuda>],
    output: &[usize],
) -> Result<Tensor<Cuda>> {
    through_host::<_, Slot>(tape, operation, inputs, params, output)
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
