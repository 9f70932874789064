//! Pooling: the pixels of each window are gathered, then compared or added.

use super::super::cells::Cells;
use super::super::slide::Slide;
use super::super::{EngineError, Kernels, Result, Tape, Tensor, Window};
use super::gather::{Gather, Row};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{Axis, BroadcastTo, ChooseFrom, HasShape, PutTape, ReshapeTo, SplitTape, SumTo, TryGt, TryMul};
use std::rc::Rc;

/// See [`Kernels::max_pool`]. The first of equal taps gets the gradient. NaN under a window may be
/// lost.
pub fn max_pool<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, window: &Window) -> Result<Tensor<D>> {
    let slide = Slide::new("max_pool", x.dims(), window)?;
    if !slide.always_over_pixels() {
        let shapes = vec![x.dims().to_vec(), window.kernel.to_vec()];
        return Err(EngineError::Shapes { operation: "max_pool", shapes });
    }
    let tap = |tap| {
        let key = ("tap", slide.batch, slide.size, slide.window, tap);
        Gather::kept(x.device(), &key, || tap_rows(&slide, tap))
    };
    let taps = (0..slide.taps()).map(tap).collect::<Result<Vec<_>>>()?;
    let (output, recorded) = taped!(tape, &[x], "max_pool", |lent, recorded| {
        let x = operand(x, rows_of(x.dims()), recorded)?.put_tape(lent);
        largest(x, &taps)
    });
    finish(output, &[slide.batch, slide.output[0], slide.output[1], slide.channels], recorded)
}

/// The rows under one tap of all windows. Where the tap lies over padding, the first pixel of its
/// window stands in, which changes no maximum.
fn tap_rows(slide: &Slide, tap: usize) -> Vec<Row> {
    let (rows, columns) = (slide.inputs(0), slide.inputs(1));
    let across = slide.window.kernel[1];
    let mut taken = Vec::with_capacity(slide.rows());
    for image in 0..slide.batch {
        for (row, rows) in rows.iter().enumerate() {
            for (column, columns) in columns.iter().enumerate() {
                let under = (slide.under(0, row, tap / across), slide.under(1, column, tap % across));
                let (y, x) = match under {
                    (Some(y), Some(x)) => (y, x),
                    _ => (rows[0].1, columns[0].1),
                };
                taken.push(((image * slide.size[0] + y) * slide.size[1] + x, true));
            }
        }
    }
    taken
}

fn largest<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Rows, D, T>,
    taps: &[Rc<Gather<D>>],
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let (x, lent) = x.split_tape();
    let mut taps = taps.iter().map(|tap| tap.of(x.retaped::<T>()));
    // A window has at least one tap.
    let Some(first) = taps.next() else { return Ok(x.put_tape(lent)) };
    let (first, own) = first?.split_tape();
    let mut best = first.put_tape(dfdx::prelude::Merge::merge(lent, own));
    for tap in taps {
        let tap = tap?;
        best = tap.try_gt(&best)?.try_choose(tap, best)?;
    }
    Ok(best)
}

/// See [`Kernels::avg_pool`].
pub fn avg_pool<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    window: &Window,
    count_padding: bool,
) -> Result<Tensor<D>> {
    means(tape, x, &Cells::of_window(x.dims(), window, count_padding)?)
}

/// See [`Kernels::adaptive_avg_pool`].
pub fn adaptive_avg_pool<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, output: [usize; 2]) -> Result<Tensor<D>> {
    means(tape, x, &Cells::of_grid(x.dims(), output)?)
}

fn means<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, cells: &Cells) -> Result<Tensor<D>> {
    let longest = |axis: usize| cells.axes[axis].iter().map(Vec::len).max().unwrap_or(0);
    let window = [longest(0), longest(1)];
    let key = ("cells", cells.batch, cells.size, &cells.axes);
    let gather = Gather::kept(x.device(), &key, || cell_rows(cells, window))?;
    let factors: Vec<f32> = (0..cells.batch)
        .flat_map(|_| &cells.axes[0])
        .flat_map(|rows| cells.axes[1].iter().map(|columns| cells.factor(rows, columns)))
        .collect();
    let count = factors.len();
    let factors = Tensor::from_vec(x.device(), factors, &[count])?;
    let (output, recorded) = taped!(tape, &[x], "avg_pool", |lent, recorded| {
        let x = operand(x, rows_of(x.dims()), recorded)?.put_tape(lent);
        weighted_sums(gather.of(x), window, factors.shaped((count,))?)
    });
    finish(output, &cells.dims(), recorded)
}

/// The rows of each cell, with rows that do not count where the cell is smaller than `window`.
fn cell_rows(cells: &Cells, window: [usize; 2]) -> Vec<Row> {
    let mut taken = Vec::new();
    for image in 0..cells.batch {
        for rows in &cells.axes[0] {
            for columns in &cells.axes[1] {
                for tap in 0..window[0] * window[1] {
                    let (row, column) = (tap / window[1], tap % window[1]);
                    let y = rows.get(row).or(rows.last()).copied().unwrap_or(0);
                    let x = columns.get(column).or(columns.last()).copied().unwrap_or(0);
                    let counts = row < rows.len() && column < columns.len();
                    taken.push(((image * cells.size[0] + y) * cells.size[1] + x, counts));
                }
            }
        }
    }
    taken
}

/// Sums over windows, each times its factor. Columns are added first, then rows.
fn weighted_sums<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    pixels: std::result::Result<Taped<Rows, D, T>, D::Err>,
    [height, width]: [usize; 2],
    factors: Plain<(usize,), D>,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let pixels = pixels?;
    let (rows, channels) = *pixels.shape();
    let lines: Taped<Rows, D, T> =
        pixels.try_reshape_like(&(rows / width.max(1), width, channels))?.try_sum::<_, Axis<1>>()?;
    let count = factors.shape().0;
    let sums: Taped<Rows, D, T> = lines.try_reshape_like(&(count, height, channels))?.try_sum::<_, Axis<1>>()?;
    sums.try_mul(factors.try_broadcast_like::<_, Axis<1>>(&(count, channels))?)
}
