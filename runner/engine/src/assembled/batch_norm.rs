//! Batch normalization.

use super::super::{Activation, BatchStatistics, EngineError, Kernels, Result, Tape, Tensor};
use super::activation::apply;
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{
    Axis, BroadcastTo, HasShape, PutTape, ReshapeTo, SplitTape, SumTo, TryAdd, TryDiv, TryMul, TrySub,
};

/// See [`Kernels::batch_norm_inference`].
#[allow(clippy::too_many_arguments)]
pub fn batch_norm_inference<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    scale: &Tensor<D>,
    shift: &Tensor<D>,
    mean: &Tensor<D>,
    variance: &Tensor<D>,
    eps: f32,
    activation: Option<Activation>,
) -> Result<Tensor<D>> {
    let (shape, channels) = check(x, &[scale, shift, mean, variance])?;
    let (output, recorded) = taped!(tape, &[x, scale, shift], "batch_norm", |lent, recorded| {
        let x = operand(x, shape, recorded)?.put_tape(lent);
        let mean = operand(mean, (channels,), recorded)?;
        let variance = operand(variance, (channels,), recorded)?;
        let [scale, shift] = [operand(scale, (channels,), recorded)?, operand(shift, (channels,), recorded)?];
        by_given(x, &scale, shift, mean, variance, eps, activation)
    });
    finish(output, x.dims(), recorded)
}

/// See [`Kernels::batch_norm_training`].
pub fn batch_norm_training<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    scale: &Tensor<D>,
    shift: &Tensor<D>,
    eps: f32,
    activation: Option<Activation>,
) -> Result<(Tensor<D>, BatchStatistics<D>)> {
    let (shape, channels) = check(x, &[scale, shift])?;
    let mut found = None;
    let (output, recorded) = taped!(tape, &[x, scale, shift], "batch_norm", |lent, recorded| {
        let plain = operand(x, shape, recorded)?;
        let [scale, shift] = [operand(scale, (channels,), recorded)?, operand(shift, (channels,), recorded)?];
        by_batch(plain.put_tape(lent), &scale, shift, &lengths(x.dims()), eps, activation, &mut found)
    });
    let Some((mean, variance)) = found else {
        return Err(EngineError::Device { operation: "batch_norm", message: "no statistics were taken".into() });
    };
    let statistics = BatchStatistics {
        mean: finish(mean, &[channels], false)?,
        variance: finish(variance, &[channels], false)?,
        count: shape.0,
    };
    Ok((finish(output, x.dims(), recorded)?, statistics))
}

fn check<D: Kernels>(x: &Tensor<D>, parameters: &[&Tensor<D>]) -> Result<(Rows, usize)> {
    let shape = rows_of(x.dims());
    let channels = shape.1;
    if !x.is_empty() && parameters.iter().all(|parameter| parameter.len() == channels) {
        return Ok((shape, channels));
    }
    let shapes = std::iter::once(x).chain(parameters.iter().copied()).map(|t| t.dims().to_vec()).collect();
    Err(EngineError::Shapes { operation: "batch_norm", shapes })
}

/// The lengths of the dimensions that are summed over, innermost first.
fn lengths(dims: &[usize]) -> Vec<usize> {
    dims.iter().rev().skip(1).copied().collect()
}

fn by_given<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Rows, D, T>,
    scale: &Plain<(usize,), D>,
    shift: Plain<(usize,), D>,
    mean: Plain<(usize,), D>,
    variance: Plain<(usize,), D>,
    eps: f32,
    activation: Option<Activation>,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let shape = *x.shape();
    let centred = x.try_sub(mean.try_broadcast_like::<_, Axis<0>>(&shape)?)?;
    let deviation = variance.try_add(eps)?.try_sqrt()?;
    let factor = scale.retaped::<T>().try_div(deviation)?;
    affine(centred, factor, shift, activation)
}

/// `centred * factor + shift`, then the activation.
fn affine<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    centred: Taped<Rows, D, T>,
    factor: Taped<(usize,), D, T>,
    shift: Plain<(usize,), D>,
    activation: Option<Activation>,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let shape = *centred.shape();
    let scaled = centred.try_mul(factor.try_broadcast_like::<_, Axis<0>>(&shape)?)?;
    apply(scaled.try_add(shift.try_broadcast_like::<_, Axis<0>>(&shape)?)?, activation)
}

type Statistics<D> = (Plain<(usize,), D>, Plain<(usize,), D>);

fn by_batch<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Rows, D, T>,
    scale: &Plain<(usize,), D>,
    shift: Plain<(usize,), D>,
    lengths: &[usize],
    eps: f32,
    activation: Option<Activation>,
    found: &mut Option<Statistics<D>>,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let shape = *x.shape();
    let (x, lent) = x.split_tape();
    let (mean, lent) = mean(x.clone().put_tape(lent), lengths)?.split_tape();
    let spread = mean.clone().put_tape(lent).try_broadcast_like::<_, Axis<0>>(&shape)?;
    let (centred, lent) = x.retaped::<T>().try_sub(spread)?.split_tape();
    let (variance, lent) = self::mean(centred.clone().put_tape(lent).try_square()?, lengths)?.split_tape();
    *found = Some((mean, variance.clone()));
    let deviation = variance.put_tape(lent).try_add(eps)?.try_sqrt()?;
    let factor = scale.retaped::<T>().try_div(deviation)?;
    affine(centred.retaped::<T>(), factor, shift, activation)
}

/// The mean of each column. dfdx adds one after the other in `f32`, so each dimension that makes
/// up the rows is summed by itself, the innermost first.
fn mean<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Rows, D, T>,
    lengths: &[usize],
) -> std::result::Result<Taped<(usize,), D, T>, D::Err> {
    let (rows, channels) = *x.shape();
    let (mut sums, mut left) = (x, rows);
    for &length in lengths {
        left /= length;
        sums = sums.try_reshape_like(&(left, length, channels))?.try_sum::<_, Axis<1>>()?;
    }
    sums.try_reshape_like(&(channels,))?.try_mul(1.0 / rows as f32)
}
