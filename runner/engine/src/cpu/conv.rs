//! Convolution: one product of matrices over all pixels for 1x1, blocks of columns for the rest.

use super::super::slide::Convolution;
use super::super::{Cpu, EngineError, Result, Tape, Tensor, Window};
use super::buffer::{Backward, Slot, Storage, scratch};
use super::depthwise;
use super::gemm::{Into, Matrix, MatrixMut, multiply, multiply_on_all, with_buffer};
use super::split;
use std::ops::Range;

/// Rows of columns that are made and multiplied at a time: they stay in the second-level cache.
const BLOCK: usize = 392;
/// Up to so many rows, all columns are made first and then multiplied at once: blocks would be too
/// small to repay the packing of the weights in each.
const FEW: usize = 1024;
/// Splits of a gradient to the weights, each with its own sum.
const SPLITS: usize = 16;
/// Taps are taken together in the gradient to the weights until there are so many values a row.
const TAP_VALUES: usize = 512;

/// See [`super::super::Kernels::conv2d`].
pub fn conv2d(
    tape: &mut Tape<Cpu>,
    x: &Tensor<Cpu>,
    weight: &Tensor<Cpu>,
    window: &Window,
    groups: usize,
) -> Result<Tensor<Cpu>> {
    let conv = Convolution::new(x, weight, window, groups)?;
    if conv.is_depthwise() {
        return depthwise::conv2d(tape, x, weight, conv.slide);
    }
    let columns = scratch(x.device(), conv.few_columns()).map_err(EngineError::device("conv2d"))?;
    let y = Tensor::filled(x.device(), &conv.dims(), |y| conv.forward(x.values(), weight.values(), columns, y))?;
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
            conv.weight_gradient(&device, x.values(), &gy, of_weight.get(flow)?)?;
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            let columns = scratch(&device, conv.few_columns())?;
            conv.input_gradient(weight.values(), &gy, columns, of_x.get(flow)?);
        }
        Ok(())
    });
    Ok(y.wanting_grad(true))
}

impl Convolution {
    /// True where the input is the matrix of columns as it lies.
    fn is_product(&self) -> bool {
        self.groups == 1 && self.slide.window.is_pointwise()
    }

    /// Input channels of group `group`.
    fn inputs_of(&self, group: usize) -> Range<usize> {
        group * self.group_inputs()..(group + 1) * self.group_inputs()
    }

    /// One group's weights for some taps, as a matrix (taps · inputs, outputs).
    fn weights<'a>(&self, weight: &'a [f32], group: usize, taps: &Range<usize>) -> Matrix<'a> {
        let start = taps.start * self.group_inputs() * self.outputs + group * self.group_outputs();
        let rows = taps.len() * self.group_inputs();
        Matrix::strided(&weight[start..], rows, self.group_outputs(), self.outputs)
    }

    /// One group's channels of some rows of an output or its gradient.
    fn output_rows<'a>(&self, y: &'a [f32], group: usize, rows: &Range<usize>) -> Matrix<'a> {
        let start = rows.start * self.outputs + group * self.group_outputs();
        Matrix::strided(&y[start..], rows.len(), self.group_outputs(), self.outputs)
    }

    /// The values of the matrix of columns where it is made at once, else 0.
    pub(super) fn few_columns(&self) -> usize {
        let few = self.groups == 1 && !self.is_product() && self.slide.rows() <= FEW;
        if few { self.slide.rows() * self.slide.taps() * self.slide.channels } else { 0 }
    }

    pub(super) fn forward(&self, x: &[f32], weight: &[f32], columns: Storage, y: &mut [f32]) {
        if self.is_product() {
            let inputs = self.slide.channels;
            let x = Matrix::new(x, self.slide.rows(), inputs);
            multiply_on_all(y, x, Matrix::new(weight, inputs, self.outputs), Into::Overwrite);
        } else if columns.is_empty() {
            self.forward_in_blocks(x, weight, y);
        } else {
            self.forward_at_once(x, weight, columns, y);
        }
    }

    fn forward_at_once(&self, x: &[f32], weight: &[f32], mut columns: Storage, y: &mut [f32]) {
        let (rows, taps) = (self.slide.rows(), 0..self.slide.taps());
        let width = taps.len() * self.slide.channels;
        let block = rows.div_ceil(8);
        split::chunks(&mut columns, block * width, |number, columns| {
            let rows = number * block..number * block + columns.len() / width;
            self.slide.gather(x, &(0..self.slide.channels), rows, &taps, columns);
        });
        multiply_on_all(y, Matrix::new(&columns, rows, width), self.weights(weight, 0, &taps), Into::Overwrite);
    }

    fn forward_in_blocks(&self, x: &[f32], weight: &[f32], y: &mut [f32]) {
        let taps = 0..self.slide.taps();
        let width = taps.len() * self.group_inputs();
        let block = self.slide.rows().div_ceil(8).clamp(48, BLOCK);
        split::chunks(y, block * self.outputs, |number, y| {
            let count = y.len() / self.outputs;
            let rows = number * block..number * block + count;
            with_buffer(count * width, |buffer| {
                for group in 0..self.groups {
                    self.slide.gather(x, &self.inputs_of(group), rows.clone(), &taps, buffer);
                    let outputs = self.group_outputs();
                    let y = MatrixMut::strided(&mut y[group * outputs..], count, outputs, self.outputs);
                    multiply(y, Matrix::new(buffer, count, width), self.weights(weight, group, &taps), Into::Overwrite);
                }
            });
        });
    }

    pub(super) fn input_gradient(&self, weight: &[f32], gy: &[f32], columns: Storage, gx: &mut [f32]) {
        if self.is_product() {
            let gy = Matrix::new(gy, self.slide.rows(), self.outputs);
            let weight = Matrix::new(weight, self.slide.channels, self.outputs);
            multiply_on_all(gx, gy, weight.transposed(), Into::Add);
        } else if columns.is_empty() {
            self.input_gradient_in_blocks(weight, gy, gx);
        } else {
            self.input_gradient_at_once(weight, gy, columns, gx);
        }
    }

    fn input_gradient_at_once(&self, weight: &[f32], gy: &[f32], mut columns: Storage, gx: &mut [f32]) {
        let (pixels, taps) = (self.slide.pixels(), 0..self.slide.taps());
        let of_image = pixels * taps.len() * self.slide.channels;
        let gy = Matrix::new(gy, self.slide.rows(), self.outputs);
        multiply_on_all(&mut columns, gy, self.weights(weight, 0, &taps).transposed(), Into::Overwrite);
        split::chunks(gx, self.slide.image(), |image, gx| {
            let columns = &columns[image * of_image..][..of_image];
            self.slide.scatter(gx, &(0..self.slide.channels), 0..pixels, &taps, columns);
        });
    }

    /// Windows overlap within an image, never between two: a task has whole images.
    fn input_gradient_in_blocks(&self, weight: &[f32], gy: &[f32], gx: &mut [f32]) {
        let taps = 0..self.slide.taps();
        let pixels = self.slide.pixels().max(1);
        let width = taps.len() * self.group_inputs();
        let images = BLOCK.div_ceil(pixels).min(self.slide.batch.div_ceil(8)).max(1);
        split::chunks(gx, images * self.slide.image(), |number, gx| {
            let first = number * images * pixels;
            let count = gx.len() / self.slide.image() * pixels;
            with_buffer(BLOCK.min(count) * width, |buffer| {
                for start in (0..count).step_by(BLOCK) {
                    let local = start..(start + BLOCK).min(count);
                    let rows = first + local.start..first + local.end;
                    let buffer = &mut buffer[..local.len() * width];
                    for group in 0..self.groups {
                        let gy = self.output_rows(gy, group, &rows);
                        let weight = self.weights(weight, group, &taps);
                        let product = MatrixMut::new(buffer, rows.len(), width);
                        multiply(product, gy, weight.transposed(), Into::Overwrite);
                        self.slide.scatter(gx, &self.inputs_of(group), local.clone(), &taps, buffer);
                    }
                }
            });
        });
    }

    /// The sum over pixels is split over taps and over rows. Each split of the rows has its own
    /// sum; they are added in order.
    pub(super) fn weight_gradient(&self, device: &Cpu, x: &[f32], gy: &[f32], gw: &mut [f32]) -> Backward<()> {
        let rows = self.slide.rows();
        let one_tap = self.group_inputs() * self.outputs;
        let taps = if self.slide.taps() * self.group_inputs() <= TAP_VALUES { self.slide.taps() } else { 1 };
        let tap_splits = self.slide.taps().div_ceil(taps);
        let most = ((8 << 20) / gw.len().max(1)).clamp(1, SPLITS);
        let splits = SPLITS.div_ceil(tap_splits).min(rows.div_ceil(BLOCK)).clamp(1, most);
        let length = rows.div_ceil(splits).max(1);
        let partial = |number: usize, gw: &mut [f32]| {
            let (split, tap) = (number / tap_splits, number % tap_splits * taps);
            let rows = (split * length).min(rows)..((split + 1) * length).min(rows);
            self.weight_gradient_of(x, gy, rows, &(tap..tap + taps), gw);
        };
        if splits == 1 {
            split::chunks(gw, taps * one_tap, partial);
            return Ok(());
        }
        let mut parts = scratch(device, splits * gw.len())?;
        split::chunks(&mut parts, taps * one_tap, partial);
        let len = gw.len();
        split::chunks(gw, split::ELEMENTS, |number, gw| {
            for part in parts.chunks_exact(len) {
                let part = &part[number * split::ELEMENTS..][..gw.len()];
                gw.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
        });
        Ok(())
    }

    /// Adds the share of some rows and taps to the gradient of those taps' weights.
    fn weight_gradient_of(&self, x: &[f32], gy: &[f32], rows: Range<usize>, taps: &Range<usize>, gw: &mut [f32]) {
        let width = taps.len() * self.group_inputs();
        if self.is_product() {
            let x = Matrix::new(x, self.slide.rows(), width).rows(rows.clone());
            let gw = MatrixMut::new(gw, width, self.outputs);
            return multiply(gw, x.transposed(), self.output_rows(gy, 0, &rows), Into::Add);
        }
        // The gemm crate sums over blocks of about this length at a time anyhow.
        let block = 2 * BLOCK;
        with_buffer(block * width, |buffer| {
            for start in rows.clone().step_by(block) {
                let rows = start..(start + block).min(rows.end);
                let buffer = &mut buffer[..rows.len() * width];
                for group in 0..self.groups {
                    self.slide.gather(x, &self.inputs_of(group), rows.clone(), taps, buffer);
                    let outputs = self.group_outputs();
                    let gw = MatrixMut::strided(&mut gw[group * outputs..], width, outputs, self.outputs);
                    let columns = Matrix::new(buffer, rows.len(), width);
                    multiply(gw, columns.transposed(), self.output_rows(gy, group, &rows), Into::Add);
                }
            }
        });
    }
}
