//! Transposed convolution: the passes of the convolution that it is the transpose of, exchanged.

use super::super::slide::Convolution;
use super::super::{Cpu, Result, Tape, Tensor, Window};
use super::buffer::{record, room};
use super::plane::Plane;
use super::split;
use super::weight::Weight;

/// See [`super::super::Kernels::conv_transpose2d`].
pub fn conv_transpose2d(
    tape: &mut Tape<Cpu>,
    x: &Tensor<Cpu>,
    weight: &Tensor<Cpu>,
    window: &Window,
    size: [usize; 2],
) -> Result<Tensor<Cpu>> {
    let conv = Convolution::transposed(x, weight, window, size)?;
    let plane = Plane::new(&conv);
    let y = Tensor::written(x.device(), &conv.input_dims(), |y| {
        plane.input_gradient(weight.values(), x.values(), y, false);
    })?;
    let of_weight = move |x: &[f32], gy: &[f32], gw: &mut [f32]| plane.add_weight_gradient(gy, x, gw);
    Ok(record(tape, y, [x, weight], of_weight, move |weight, gy, gx, add| {
        if !add {
            return plane.forward(gy, Weight::training(weight), gx, None);
        }
        let mut own = room(gx.len());
        plane.forward(gy, Weight::training(weight), &mut own, None);
        split::add_into(gx, &own);
    }))
}
