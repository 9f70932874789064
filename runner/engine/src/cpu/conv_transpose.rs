//! Transposed convolution: the passes of the convolution that it is the transpose of, exchanged.

use super::super::slide::Convolution;
use super::super::{Cpu, Result, Tape, Tensor, Window};
use super::buffer::Slot;
use super::plane::Plane;
use super::scratch::Scratch;
use super::split;

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
    let y = Tensor::filled(x.device(), &conv.input_dims(), |y| {
        plane.add_input_gradient(weight.values(), x.values(), y);
    })?;
    if !tape.records(&[x, weight]) {
        return Ok(y);
    }
    let (of_y, of_x, of_weight) = (Slot::of(&y), Slot::wanted(x), Slot::wanted(weight));
    let x = of_weight.is_some().then(|| x.clone());
    let weight = of_x.is_some().then(|| weight.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let (Some(of_weight), Some(x)) = (of_weight, x) {
            plane.add_weight_gradient(&gy, x.values(), of_weight.get(flow)?);
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            let mut own = Scratch::new(conv.dims().iter().product());
            plane.forward(&gy, weight.values(), &mut own, None);
            split::add_into(of_x.get(flow)?, &own);
        }
        Ok(())
    });
    Ok(y.wanting_grad(true))
}
