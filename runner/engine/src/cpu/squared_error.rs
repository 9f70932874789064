//! The mean squared error.

use super::super::{Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;
use super::split;

/// See [`super::super::Kernels::mean_squared_error`]. Summed in `f64`.
pub fn mean_squared_error(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, target: &Tensor<Cpu>) -> Result<Tensor<Cpu>> {
    if x.is_empty() || x.dims() != target.dims() {
        let shapes = vec![x.dims().to_vec(), target.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "mean_squared_error", shapes });
    }
    let differences = x.values().iter().zip(target.values()).map(|(x, target)| f64::from(*x) - f64::from(*target));
    let loss = differences.map(|difference| difference * difference).sum::<f64>() / x.len() as f64;
    let y = Tensor::from_vec(x.device(), vec![loss as f32], &[])?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let of_x = Slot::of(x);
    let (x, target) = (x.clone(), target.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?.first().copied().unwrap_or(0.0);
        let factor = (2.0 * f64::from(gy) / x.len() as f64) as f32;
        of_x.add(flow, |gx| {
            split::chunks(gx, split::ELEMENTS, |number, gx| {
                let from = number * split::ELEMENTS;
                let pairs = x.values()[from..].iter().zip(&target.values()[from..]);
                gx.iter_mut().zip(pairs).for_each(|(gx, (x, target))| *gx += factor * (x - target));
            });
        })
    });
    Ok(y)
}
