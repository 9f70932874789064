//! Transposed convolution: the passes of the convolution that it is the transpose of, exchanged.

use super::super::slide::Convolution;
use super::super::{Cpu, Result, Tape, Tensor, Window};
use super::buffer::{Slot, room};
use super::conv_forward::Weight;
use super::plane::Plane;

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
    if !tape.records(&[x, weight]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let (of_x, of_weight) = (Slot::wanted(x), Slot::wanted(weight));
    let x = of_weight.is_some().then(|| x.clone());
    let weight = of_x.is_some().then(|| weight.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let (Some(of_weight), Some(x)) = (of_weight, x) {
            of_weight.add(flow, |gw| plane.add_weight_gradient(&gy, x.values(), gw))?;
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            let mut own = room(conv.dims().iter().product());
            plane.forward(&gy, Weight::training(&weight), &mut own, None);
            of_x.give(flow, own)?;
        }
        Ok(())
    });
    Ok(y)
}
