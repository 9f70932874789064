//! Convolution: columns are gathered, then multiplied.

use super::super::slide::{Convolution, Slide};
use super::super::{Kernels, Result, Tape, Tensor, Window};
use super::gather::{Gather, Row};
use super::operand::{Plain, Rows, Taped, finish, operand, taped};
use dfdx::prelude::{Axis, BroadcastTo, PutTape, ReshapeTo, SumTo, TryMatMul, TryMul};
use std::rc::Rc;

/// How the matrices of a convolution are gathered.
struct Plan<D: Kernels> {
    conv: Convolution,
    /// From the input to columns: (rows, taps, channels), or with groups outermost. `None` where
    /// the input is the columns already.
    columns: Option<Rc<Gather<D>>>,
    /// From the weights to one matrix a group, and from one product a group to the output.
    groups: Option<[Rc<Gather<D>>; 2]>,
}

/// See [`Kernels::conv2d`].
pub fn conv2d<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    window: &Window,
    groups: usize,
) -> Result<Tensor<D>> {
    let conv = Convolution::new(x, weight, window, groups)?;
    let plan = Plan::new(x.device(), conv)?;
    let (output, recorded) = taped!(tape, &[x, weight], "conv2d", |lent, recorded| {
        let x = operand(x, plan.input_shape(), recorded)?.put_tape(lent);
        let weight = operand(weight, plan.weight_shape(), recorded)?;
        plan.run(x, weight)
    });
    finish(output, &conv.dims(), recorded)
}

impl<D: Kernels> Plan<D> {
    fn new(device: &D, conv: Convolution) -> Result<Self> {
        let slide = conv.slide;
        // A depthwise convolution sees all channels of a pixel at once; groups are rows apart.
        let apart = if conv.is_depthwise() { 1 } else { conv.groups };
        let columns = if slide.window.is_pointwise() && apart == 1 {
            None
        } else {
            let key = ("columns", slide.batch, slide.size, slide.window, apart);
            Some(Gather::kept(device, &key, || column_rows(&slide, apart))?)
        };
        let groups = if apart == 1 {
            None
        } else {
            let (weight_rows, rows) = (slide.taps() * conv.group_inputs(), slide.rows());
            let of_weight = Gather::kept(device, &("exchange", weight_rows, apart), || exchange(weight_rows, apart))?;
            let of_output = Gather::kept(device, &("exchange", apart, rows), || exchange(apart, rows))?;
            Some([of_weight, of_output])
        };
        Ok(Plan { conv, columns, groups })
    }

    /// The input as the matrix whose rows are gathered.
    fn input_shape(&self) -> Rows {
        let pixels = self.conv.slide.batch * self.conv.slide.size[0] * self.conv.slide.size[1];
        if self.groups.is_some() {
            (pixels * self.conv.groups, self.conv.group_inputs())
        } else {
            (pixels, self.conv.slide.channels)
        }
    }

    /// The weights as a matrix: one row a tap and input, or a tap, input and group.
    fn weight_shape(&self) -> Rows {
        let rows = self.conv.slide.taps() * self.conv.group_inputs();
        if self.groups.is_some() {
            (rows * self.conv.groups, self.conv.group_outputs())
        } else {
            (rows, self.conv.outputs)
        }
    }

    fn run<T: dfdx::prelude::Tape<f32, D>>(
        &self,
        x: Taped<Rows, D, T>,
        weight: Plain<Rows, D>,
    ) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
        let Convolution { slide, groups, outputs } = self.conv;
        let (rows, taps) = (slide.rows(), slide.taps());
        let columns = match &self.columns {
            Some(gather) => gather.of(x)?,
            None => x,
        };
        if self.conv.is_depthwise() {
            let shape = (rows, taps, outputs);
            let weight = weight.retaped::<T>().try_broadcast_like::<_, Axis<0>>(&shape)?;
            return columns.try_reshape_like(&shape)?.try_mul(weight)?.try_sum::<_, Axis<1>>();
        }
        let width = taps * self.conv.group_inputs();
        let Some([of_weight, of_output]) = &self.groups else {
            return columns.try_reshape_like(&(rows, width))?.try_matmul(weight);
        };
        let weight =
            of_weight.of(weight.retaped::<T>())?.try_reshape_like(&(groups, width, self.conv.group_outputs()))?;
        let product = columns.try_reshape_like(&(groups, rows, width))?.try_matmul(weight)?;
        let product = product.try_reshape_like(&(groups * rows, self.conv.group_outputs()))?;
        of_output.of(product)?.try_reshape_like(&(rows, outputs))
    }
}

/// For each group, output pixel and tap: the row of the pixel under it, with `groups` rows a
/// pixel.
fn column_rows(slide: &Slide, groups: usize) -> Vec<Row> {
    let mut rows = Vec::with_capacity(groups * slide.rows() * slide.taps());
    for group in 0..groups {
        for image in 0..slide.batch {
            for pixel in 0..slide.pixels() {
                for tap in 0..slide.taps() {
                    let (at, counts) = pixel_under(slide, pixel, tap);
                    let pixels = slide.size[0] * slide.size[1];
                    rows.push(((image * pixels + at) * groups + group, counts));
                }
            }
        }
    }
    rows
}

/// The pixel under a tap, or the nearest to it.
fn pixel_under(slide: &Slide, pixel: usize, tap: usize) -> Row {
    let at = [pixel / slide.output[1], pixel % slide.output[1]];
    let tap = [tap / slide.window.kernel[1], tap % slide.window.kernel[1]];
    let along = |axis: usize| {
        let position = slide.begin(axis, at[axis]) + (tap[axis] * slide.window.dilation[axis]) as isize;
        position.clamp(0, slide.size[axis] as isize - 1) as usize
    };
    let counts = (0..2).all(|axis| slide.under(axis, at[axis], tap[axis]).is_some());
    (along(0) * slide.size[1] + along(1), counts)
}

/// From (outer, inner) rows to (inner, outer) rows.
fn exchange(outer: usize, inner: usize) -> Vec<Row> {
    (0..inner).flat_map(|i| (0..outer).map(move |o| (o * inner + i, true))).collect()
}
