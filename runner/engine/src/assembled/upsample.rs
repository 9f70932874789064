//! Images brought to a multiple of their size: pixels are gathered and weighted.

use super::super::resample::{Interpolation, Resample};
use super::super::{Kernels, Result, Tape, Tensor};
use super::gather::{Gather, Row};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{Axis, BroadcastTo, HasShape, PutTape, ReshapeTo, SumTo, TryMul};

/// Pixels that a pixel of the output is a mean of.
const PLACES: usize = 4;

/// See [`Kernels::upsample`].
pub fn upsample<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    factor: [usize; 2],
    interpolation: Interpolation,
) -> Result<Tensor<D>> {
    let resample = Resample::new(x.dims(), factor, interpolation)?;
    let places = if interpolation == Interpolation::Nearest { 1 } else { PLACES };
    let key = ("upsample", resample.batch, resample.size, factor, interpolation);
    let gather = Gather::kept(x.device(), &key, || rows(&resample, places))?;
    let weights = weights(&resample);
    let weights = Tensor::from_vec(x.device(), weights.repeat(resample.batch), &[weights.len() * resample.batch])?;
    let (output, recorded) = taped!(tape, &[x], "upsample", |lent, recorded| {
        let x = operand(x, rows_of(x.dims()), recorded)?.put_tape(lent);
        match places {
            1 => gather.of(x),
            _ => means(gather.of(x), weights.shaped((weights.len(),))?),
        }
    });
    finish(output, &resample.dims(), recorded)
}

/// The four pixels of each pixel of the output, or the first alone.
fn rows(resample: &Resample, places: usize) -> Vec<Row> {
    let mut taken = Vec::new();
    for image in 0..resample.batch {
        for rows in &resample.axes[0] {
            for columns in &resample.axes[1] {
                for place in 0..places {
                    let (row, column) = (rows[place / 2].0, columns[place % 2].0);
                    taken.push(((image * resample.size[0] + row) * resample.size[1] + column, true));
                }
            }
        }
    }
    taken
}

/// The weights of those pixels, for one image.
fn weights(resample: &Resample) -> Vec<f32> {
    let mut weights = Vec::new();
    for rows in &resample.axes[0] {
        for columns in &resample.axes[1] {
            weights.extend((0..PLACES).map(|place| rows[place / 2].1 * columns[place % 2].1));
        }
    }
    weights
}

fn means<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    pixels: std::result::Result<Taped<Rows, D, T>, D::Err>,
    weights: Plain<(usize,), D>,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let pixels = pixels?;
    let (rows, channels) = *pixels.shape();
    let weighted = pixels.try_mul(weights.try_broadcast_like::<_, Axis<1>>(&(rows, channels))?)?;
    weighted.try_reshape_like(&(rows / PLACES, PLACES, channels))?.try_sum::<_, Axis<1>>()
}
