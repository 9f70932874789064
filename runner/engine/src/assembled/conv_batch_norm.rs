//! Convolution with what follows it in a residual block: one operation after the other.

use super::super::{Activation, Kernels, Normalization, Result, Tape, Tensor, Window};

/// See [`Kernels::conv2d_batch_norm`]. The operations are those of the device.
#[allow(clippy::too_many_arguments)]
pub fn conv2d_batch_norm<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    window: &Window,
    groups: usize,
    norm: &Normalization<D>,
    residual: Option<&Tensor<D>>,
    activation: Option<Activation>,
) -> Result<Tensor<D>> {
    let Normalization { scale, shift, mean, variance, eps } = *norm;
    let y = D::conv2d(tape, x, weight, window, groups)?;
    let first = if residual.is_none() { activation } else { None };
    let y = D::batch_norm_inference(tape, &y, scale, shift, mean, variance, eps, first)?;
    match residual {
        Some(residual) => D::add(tape, &y, residual, activation),
        None => Ok(y),
    }
}
