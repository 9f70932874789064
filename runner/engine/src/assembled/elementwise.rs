//! Products with broadcast factors, and joins.

use super::super::{Broadcast, EngineError, KernelSet, Kernels, Result, Tape, Tensor};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{Axis, BroadcastTo, PutTape, TryAdd, TryMatMul, TryMul};

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
    let widths: Vec<usize> = parts.iter().map(|part| rows_of(part.dims()).1).collect();
    let total: usize = widths.iter().sum();
    let places = widths.iter().scan(0, |begin, &width| {
        *begin += width;
        Some(place(first.device(), width, *begin - width, total))
    });
    let mut places = places.collect::<Result<Vec<_>>>()?.into_iter();
    let operands: Vec<&Tensor<D>> = parts.iter().collect();
    let (output, recorded) = taped!(tape, &operands, "concat", |lent, recorded| {
        let plain = |part: &Tensor<D>| operand(part, rows_of(part.dims()), recorded);
        let first = (plain(first)?, places.next().ok_or_else(misfit)?);
        let rest = rest.iter().zip(places).map(|(part, place)| Ok((plain(part)?, place)));
        join(first, rest.collect::<Result<Vec<_>>>()?, lent)
    });
    let dims: Vec<usize> = outer.iter().copied().chain([total]).collect();
    finish(output, &dims, recorded)
}

/// The matrix that takes `width` columns to their place among `total`.
fn place<D: Kernels>(device: &D, width: usize, begin: usize, total: usize) -> Result<Plain<Rows, D>> {
    let mut values = vec![0.0; width * total];
    (0..width).for_each(|column| values[column * total + begin + column] = 1.0);
    Tensor::from_vec(device, values, &[width, total])?.shaped((width, total))
}

/// The sum of the parts, each in its place: dfdx's own joins of tensors are compiled when they run on CUDA, from files
/// that may be gone by then.
fn join<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    (first, place): (Plain<Rows, D>, Plain<Rows, D>),
    rest: Vec<(Plain<Rows, D>, Plain<Rows, D>)>,
    lent: T,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let mut joined = first.put_tape(lent).try_matmul(place)?;
    for (part, place) in rest {
        // Another identity, recorded, so that a tensor may be joined to itself.
        let part = part.retaped::<T>().try_mul(1.0)?;
        joined = joined.try_add(part.try_matmul(place)?)?;
    }
    Ok(joined)
}

/// See [`Kernels::blend`].
pub fn blend<D: Kernels>(a: &Tensor<D>, of_a: f32, b: &Tensor<D>, of_b: f32) -> Result<Tensor<D>> {
    let mut off = Tape::off(KernelSet::default());
    let mut times = |vector: &Tensor<D>, factor: f32| {
        let row = vector.clone().wanting_grad(false).reshape(&[1, vector.len()])?;
        let factor = Tensor::from_vec(vector.device(), vec![factor], &[1])?;
        D::scale(&mut off, &row, &factor, Broadcast::Sample)?.reshape(vector.dims())
    };
    let (a, b) = (times(a, of_a)?, times(b, of_b)?);
    D::add(&mut off, &a, &b, None)
}
