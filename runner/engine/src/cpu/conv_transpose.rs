//! Transposed convolution: the passes of the convolution that it is the transpose of, exchanged.

use super::super::slide::Convolution;
use super::super::{Cpu, EngineError, Result, Tape, Tensor, Window};
use super::buffer::{Slot, scratch};
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
    let columns = scratch(x.device(), conv.few_columns()).map_err(EngineError::device("conv_transpose2d"))?;
    let y = Tensor::filled(x.device(), &conv.input_dims(), |y| {
        conv.input_gradient(weight.values(), x.values(), columns, y);
    })?;
    if !tape.records(&[x, weight]) {
        return Ok(y);
    }
    let (of_y, of_x, of_weight) = (Slot::of(&y), Slot::wanted(x), Slot::wanted(weight));
    let device = x.device().clone();
    let x = of_weight.is_some().then(|| x.clone());
    let weight = of_x.is_some().then(|| weight.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let (Some(of_weight), Some(x)) = (of_weight, x) {
            conv.weight_gradient(&device, &gy, x.values(), of_weight.get(flow)?)?;
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            let columns = scratch(&device, conv.few_columns())?;
            let mut own = scratch(&device, conv.dims().iter().product())?;
            conv.forward(&gy, weight.values(), columns, &mut own);
            split::add_into(of_x.get(flow)?, &own);
        }
        Ok(())
    });
    Ok(y.wanting_grad(true))
}
