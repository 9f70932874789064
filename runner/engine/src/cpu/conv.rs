//! Convolution.

use super::super::slide::Convolution;
use super::super::{Cpu, Result, Tape, Tensor, Window};
use super::buffer::record;
use super::depthwise;
use super::plane::Plane;
use super::weight::Weight;

/// See [`super::super::Kernels::conv2d`].
pub fn conv2d(
    tape: &mut Tape<Cpu>,
    x: &Tensor<Cpu>,
    weight: &Tensor<Cpu>,
    window: &Window,
    groups: usize,
) -> Result<Tensor<Cpu>> {
    let conv = Convolution::new(x, weight, window, groups)?;
    if conv.is_depthwise() {
        return depthwise::conv2d(tape, x, weight, conv.slide);
    }
    Plane::new(&conv).apply(tape, x, weight, &conv.dims())
}

impl Plane {
    /// The convolution of `x` with `weight`, of this shape, recorded where a gradient is wanted.
    pub fn apply(
        self,
        tape: &mut Tape<Cpu>,
        x: &Tensor<Cpu>,
        weight: &Tensor<Cpu>,
        dims: &[usize],
    ) -> Result<Tensor<Cpu>> {
        let factors = if tape.records(&[weight]) { Weight::training(weight) } else { Weight::constant(weight) };
        let y = Tensor::written(x.device(), dims, |y| self.forward(x.values(), factors, y, None))?;
        let of_weight = move |x: &[f32], gy: &[f32], gw: &mut [f32]| self.add_weight_gradient(x, gy, gw);
        Ok(record(tape, y, [x, weight], of_weight, move |weight, gy, gx, add| {
            self.input_gradient(weight.values(), gy, gx, add);
        }))
    }
}
