//! Convolution.

use super::super::slide::Convolution;
use super::super::{Cpu, Result, Tape, Tensor, Window};
use super::buffer::Slot;
use super::conv_forward::Weight;
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
                of_weight.add(flow, |gw| self.add_weight_gradient(x.values(), &gy, gw))?;
            }
            if let (Some(of_x), Some(weight)) = (of_x, weight) {
                of_x.write(flow, |gx, add| self.input_gradient(weight.values(), &gy, gx, add))?;
            }
            Ok(())
        });
        Ok(y)
    }
}
