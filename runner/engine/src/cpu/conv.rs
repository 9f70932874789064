//! Convolution.

use super::super::slide::Convolution;
use super::super::{Cpu, Result, Tape, Tensor, Window};
use super::buffer::Slot;
use super::depthwise;
use super::plane::Plane;

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
    let plane = Plane::new(&conv);
    let y = Tensor::filled(x.device(), &conv.dims(), |y| plane.forward(x.values(), weight.values(), y, None))?;
    if !tape.records(&[x, weight]) {
        return Ok(y);
    }
    let (of_y, of_x, of_weight) = (Slot::of(&y), Slot::wanted(x), Slot::wanted(weight));
    let x = of_weight.is_some().then(|| x.clone());
    let weight = of_x.is_some().then(|| weight.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let (Some(of_weight), Some(x)) = (of_weight, x) {
            plane.add_weight_gradient(x.values(), &gy, of_weight.get(flow)?);
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            plane.add_input_gradient(weight.values(), &gy, of_x.get(flow)?);
        }
        Ok(())
    });
    Ok(y.wanting_grad(true))
}
