//! Products with broadcast factors, and joins.

use super::super::{Broadcast, EngineError, Kernels, Result, Tape, Tensor};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{Axis, BroadcastTo, PutTape, TryConcatAlong, TryMul};

/// Samples, pixels and channels.
type Spread = (usize, usize, usize);

/// See [`Kernels::scale`].
pub fn scale<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    factor: &Tensor<D>,
    broadcast: Broadcast,
) -> Result<Tensor<D>> {
    let misfit = || EngineError::Shapes { operation: "scale", shapes: vec![x.dims().to_vec(), factor.dims().to_vec()] };
    let (Some(&samples), Some(&channels)) = (x.dims().first(), x.dims().last()) else { return Err(misfit()) };
    // All three are (samples, pixels, channels) times (samples, channels).
    let (samples, channels) = match broadcast {
        Broadcast::Element => (1, x.len()),
        Broadcast::Sample => (samples, 1),
        Broadcast::SampleChannel => (samples, channels),
    };
    if factor.len() != samples * channels || x.is_empty() {
        return Err(misfit());
    }
    let shape = (samples, x.len() / factor.len(), channels);
    let (output, recorded) = taped!(tape, &[x, factor], "scale", |lent, recorded| {
        let x = operand(x, shape, recorded)?.put_tape(lent);
        multiply(x, &operand(factor, (samples, channels), recorded)?, shape)
    });
    finish(output, x.dims(), recorded)
}

fn multiply<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Spread, D, T>,
    factor: &Plain<Rows, D>,
    shape: Spread,
) -> std::result::Result<Taped<Spread, D, T>, D::Err> {
    // Another identity, recorded, so that `x * x` is two tensors.
    let factor = factor.retaped::<T>().try_mul(1.0)?;
    x.try_mul(factor.try_broadcast_like::<_, Axis<1>>(&shape)?)
}

/// See [`Kernels::concat`].
pub fn concat<D: Kernels>(tape: &mut Tape<D>, parts: &[Tensor<D>]) -> Result<Tensor<D>> {
    let misfit =
        || EngineError::Shapes { operation: "concat", shapes: parts.iter().map(|part| part.dims().to_vec()).collect() };
    let (first, rest) = parts.split_first().ok_or_else(misfit)?;
    let (_, outer) = first.dims().split_last().ok_or_else(misfit)?;
    let fits = |part: &Tensor<D>| part.dims().split_last().is_some_and(|(_, dims)| dims == outer);
    if !parts.iter().all(fits) {
        return Err(misfit());
    }
    let width = parts.iter().map(|part| rows_of(part.dims()).1).sum();
    let operands: Vec<&Tensor<D>> = parts.iter().collect();
    let (output, recorded) = taped!(tape, &operands, "concat", |lent, recorded| {
        let plain = |part: &Tensor<D>| operand(part, rows_of(part.dims()), recorded);
        join(plain(first)?, rest.iter().map(plain).collect::<Result<Vec<_>>>()?, lent)
    });
    let dims: Vec<usize> = outer.iter().copied().chain([width]).collect();
    finish(output, &dims, recorded)
}

fn join<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    first: Plain<Rows, D>,
    rest: Vec<Plain<Rows, D>>,
    lent: T,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let mut joined = first.put_tape(lent);
    for part in rest {
        // Another identity, recorded, so that a tensor may be joined to itself.
        let part = part.retaped::<T>().try_mul(1.0)?;
        joined = (joined, part).try_concat_along(Axis::<1>)?;
    }
    Ok(joined)
}
