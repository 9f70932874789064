//! Transposed convolution: for each pixel of the output, what reaches it is gathered, then
//! multiplied.

use super::super::slide::{Convolution, Slide};
use super::super::{Kernels, Result, Tape, Tensor, Window};
use super::gather::{Gather, Row};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{PutTape, ReshapeTo, TryMatMul};
use std::rc::Rc;

/// See [`Kernels::conv_transpose2d`].
pub fn conv_transpose2d<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    window: &Window,
    size: [usize; 2],
) -> Result<Tensor<D>> {
    let conv = Convolution::transposed(x, weight, window, size)?;
    let slide = conv.slide;
    let key = ("reached", slide.batch, slide.size, slide.window);
    let columns = Gather::kept(x.device(), &key, || reached_rows(&slide))?;
    let key = ("turned", slide.taps(), slide.channels, conv.outputs);
    let turned = Gather::kept(x.device(), &key, || turned_rows(slide.taps(), slide.channels, conv.outputs))?;
    let (output, recorded) = taped!(tape, &[x, weight], "conv_transpose2d", |lent, recorded| {
        let x = operand(x, rows_of(x.dims()), recorded)?.put_tape(lent);
        let weight = operand(weight, (weight.len(), 1), recorded)?;
        product(x, &weight, &conv, [&columns, &turned])
    });
    finish(output, &conv.input_dims(), recorded)
}

fn product<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Rows, D, T>,
    weight: &Plain<Rows, D>,
    conv: &Convolution,
    [columns, turned]: [&Rc<Gather<D>>; 2],
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let width = conv.slide.taps() * conv.outputs;
    let pixels = conv.slide.batch * conv.slide.size[0] * conv.slide.size[1];
    let weight = turned.of(weight.retaped::<T>())?.try_reshape_like(&(width, conv.slide.channels))?;
    columns.of(x)?.try_reshape_like(&(pixels, width))?.try_matmul(weight)
}

/// For each pixel of the image that the convolution would slide over, and each tap: the output
/// pixel whose tap it is, if there is one.
fn reached_rows(slide: &Slide) -> Vec<Row> {
    let across = slide.window.kernel[1];
    let (rows, columns) = (slide.outputs(0), slide.outputs(1));
    let position =
        |of: &[(usize, usize)], tap: usize| of.iter().find(|(at, _)| *at == tap).map(|(_, position)| *position);
    let mut taken = Vec::with_capacity(slide.batch * slide.size[0] * slide.size[1] * slide.taps());
    for image in 0..slide.batch {
        for row in &rows {
            for column in &columns {
                for tap in 0..slide.taps() {
                    let (y, x) = (position(row, tap / across), position(column, tap % across));
                    let at = y.unwrap_or(0) * slide.output[1] + x.unwrap_or(0);
                    taken.push((image * slide.pixels() + at, y.is_some() && x.is_some()));
                }
            }
        }
    }
    taken
}

/// From (taps, to, from) values to (taps, from, to).
fn turned_rows(taps: usize, to: usize, from: usize) -> Vec<Row> {
    let of_tap = move |tap: usize| (0..from).flat_map(move |f| (0..to).map(move |t| ((tap * to + t) * from + f, true)));
    (0..taps).flat_map(of_tap).collect()
}
