//! Depthwise convolution: each channel alone, vectorised over channels.

use super::super::slide::Slide;
use super::super::{Cpu, Result, Tape, Tensor};
use super::buffer::Slot;
use super::split;
use super::wide::wide;
use std::ops::Range;

/// Channels that are summed in registers.
const LANES: usize = 16;
/// Splits of the gradient to the weights, each with its own sum.
const SPLITS: usize = 16;

/// A product to be summed: where its two factors begin.
type Term = (usize, usize);

/// Depthwise convolution; `weight` is (KH, KW, 1, C).
pub fn conv2d(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, weight: &Tensor<Cpu>, slide: Slide) -> Result<Tensor<Cpu>> {
    let [height, width] = slide.output;
    let dims = [slide.batch, height, width, slide.channels];
    let y = Tensor::filled(x.device(), &dims, |y| forward(&slide, x.values(), weight.values(), y))?;
    if !tape.records(&[x, weight]) {
        return Ok(y);
    }
    let (of_y, of_x, of_weight) = (Slot::of(&y), Slot::wanted(x), Slot::wanted(weight));
    let x = of_weight.is_some().then(|| x.clone());
    let weight = of_x.is_some().then(|| weight.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let (Some(of_weight), Some(x)) = (of_weight, x) {
            weight_gradient(&slide, x.values(), &gy, of_weight.get(flow)?);
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            input_gradient(&slide, weight.values(), &gy, of_x.get(flow)?);
        }
        Ok(())
    });
    Ok(y.wanting_grad(true))
}

fn forward(slide: &Slide, x: &[f32], weight: &[f32], y: &mut [f32]) {
    sum_terms(slide, &[slide.inputs(0), slide.inputs(1)], slide.output, slide.size, x, weight, y);
}

/// The gradient to the input is the same sum seen from the other side: over the outputs that a
/// pixel took part in.
fn input_gradient(slide: &Slide, weight: &[f32], gy: &[f32], gx: &mut [f32]) {
    sum_terms(slide, &[slide.outputs(0), slide.outputs(1)], slide.size, slide.output, gy, weight, gx);
}

/// Adds to each pixel of `to` the products of `from` and `weight` that `taps` lists for its row
/// and column.
fn sum_terms(
    slide: &Slide,
    taps: &[Vec<Vec<(usize, usize)>>; 2],
    to_size: [usize; 2],
    from_size: [usize; 2],
    from: &[f32],
    weight: &[f32],
    to: &mut [f32],
) {
    let channels = slide.channels;
    let across = slide.window.kernel[1];
    split::rows(to, to_size[1] * channels, |first, to| {
        wide(|| {
            let mut terms: Vec<Term> = Vec::new();
            for (row, to) in to.chunks_exact_mut(to_size[1] * channels).enumerate() {
                let (image, y) = ((first + row) / to_size[0], (first + row) % to_size[0]);
                for (to, across_taps) in to.chunks_exact_mut(channels).zip(&taps[1]) {
                    terms.clear();
                    for &(tap_row, from_y) in &taps[0][y] {
                        let line = (image * from_size[0] + from_y) * from_size[1];
                        terms.extend(
                            across_taps
                                .iter()
                                .map(|&(tap, x)| ((line + x) * channels, (tap_row * across + tap) * channels)),
                        );
                    }
                    add_products(to, from, weight, &terms);
                }
            }
        });
    });
}

/// `to[c] += sum of left[i + c] * right[j + c]` over the terms (i, j).
#[inline(always)]
fn add_products(to: &mut [f32], left: &[f32], right: &[f32], terms: &[Term]) {
    let whole = to.len() / LANES * LANES;
    for (block, to) in to.chunks_exact_mut(LANES).enumerate() {
        let start = block * LANES;
        let mut sum = [0.0_f32; LANES];
        for &(i, j) in terms {
            let (left, right) = (&left[i + start..][..LANES], &right[j + start..][..LANES]);
            for lane in 0..LANES {
                sum[lane] += left[lane] * right[lane];
            }
        }
        for lane in 0..LANES {
            to[lane] += sum[lane];
        }
    }
    for channel in whole..to.len() {
        let sum: f32 = terms.iter().map(|&(i, j)| left[i + channel] * right[j + channel]).sum();
        to[channel] += sum;
    }
}

fn weight_gradient(slide: &Slide, x: &[f32], gy: &[f32], gw: &mut [f32]) {
    let lines = slide.batch * slide.output[0];
    let parts = split::map(lines, SPLITS, 4, |lines| {
        let mut part = vec![0.0; gw.len()];
        wide(|| add_lines(slide, x, gy, lines, &mut part));
        part
    });
    for part in parts {
        split::add_into(gw, &part);
    }
}

/// Adds the share of some output rows of the batch to the gradient of the weights.
#[inline(always)]
fn add_lines(slide: &Slide, x: &[f32], gy: &[f32], lines: Range<usize>, gw: &mut [f32]) {
    let channels = slide.channels;
    let [_, out_width] = slide.output;
    let across = slide.window.kernel[1];
    let rows = slide.inputs(0);
    // For each tap across: the output columns where it is over a pixel, with that pixel's column.
    let mut pairs = vec![Vec::new(); across];
    for (position, inputs) in slide.inputs(1).into_iter().enumerate() {
        for (tap, at) in inputs {
            pairs[tap].push((position * channels, at * channels));
        }
    }
    for line in lines {
        let (image, y) = (line / slide.output[0], line % slide.output[0]);
        let gy = &gy[line * out_width * channels..][..out_width * channels];
        for &(tap_row, from_y) in &rows[y] {
            let x = &x[(image * slide.size[0] + from_y) * slide.size[1] * channels..];
            for (tap, pairs) in pairs.iter().enumerate() {
                let gw = &mut gw[(tap_row * across + tap) * channels..][..channels];
                add_products(gw, gy, x, pairs);
            }
        }
    }
}
