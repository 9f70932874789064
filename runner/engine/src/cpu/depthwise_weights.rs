//! The gradient to the weights of a depthwise convolution.

use super::super::slide::Slide;
use super::scratch::Scratch;
use super::simd::{self, Simd, WithSimd};
use super::split;
use std::ops::Range;

/// Parts of the pixels, each with its own sum.
const PARTS: usize = 16;
/// Taps of a row of the window that are summed at a time: the gradients are read once for all of them.
const TAPS: usize = 5;

/// Adds the gradient to the weights to `gw`.
pub fn add_weight_gradient(slide: &Slide, x: &[f32], gy: &[f32], gw: &mut [f32]) {
    let lines = slide.batch * slide.output[0];
    let length = lines.div_ceil(PARTS).max(4);
    let len = gw.len();
    let groups = groups(slide);
    let rows = slide.inputs(0);
    let mut sums = Scratch::zeros(lines.div_ceil(length) * len);
    split::chunks(&mut sums, len, |part, gw| {
        let range = part * length..((part + 1) * length).min(lines);
        simd::dispatch(Lines { slide, groups: &groups, rows: &rows, range, x, gy, gw });
    });
    for part in sums.chunks_exact(len.max(1)) {
        split::add_into(gw, part);
    }
}

/// Taps across that are summed at a time, over outputs where all of them lie over pixels.
struct Group {
    first: usize,
    count: usize,
    outputs: Range<usize>,
    /// The columns under the taps at the first of these outputs.
    columns: Vec<usize>,
}

/// Up to [`TAPS`] taps where all lie over pixels, and each tap alone where only some do.
fn groups(slide: &Slide) -> Vec<Group> {
    let across = slide.window.kernel[1];
    let under = |output: usize, tap: usize| slide.under(1, output, tap);
    let of_taps = |first: usize, count: usize, outputs: Range<usize>| {
        let columns = (first..first + count).filter_map(|tap| under(outputs.start, tap)).collect();
        (!outputs.is_empty()).then_some(Group { first, count, outputs, columns })
    };
    // Where a tap lies over pixels is one range of outputs.
    let range = |tap: usize| {
        let mut over = (0..slide.output[1]).filter(|&output| under(output, tap).is_some());
        let first = over.next();
        first.map_or(0..0, |first| first..over.next_back().unwrap_or(first) + 1)
    };
    let mut groups = Vec::new();
    for first in (0..across).step_by(TAPS) {
        let count = TAPS.min(across - first);
        let ranges: Vec<Range<usize>> = (first..first + count).map(range).collect();
        let start = ranges.iter().map(|range| range.start).max().unwrap_or(0);
        let end = ranges.iter().map(|range| range.end).min().unwrap_or(0).max(start);
        groups.extend(of_taps(first, count, start..end));
        for (tap, range) in ranges.into_iter().enumerate() {
            groups.extend(of_taps(first + tap, 1, range.start..range.end.min(start)));
            groups.extend(of_taps(first + tap, 1, range.start.max(end)..range.end));
        }
    }
    groups
}

/// The share of some output rows of the batch.
struct Lines<'a> {
    slide: &'a Slide,
    groups: &'a [Group],
    /// By output row: the taps down that lie over pixels, with the row under each.
    rows: &'a [Vec<(usize, usize)>],
    range: Range<usize>,
    x: &'a [f32],
    gy: &'a [f32],
    gw: &'a mut [f32],
}

impl WithSimd for Lines<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Slide { size, channels, output, window, .. } = *self.slide;
        let moves = window.stride[1] * channels;
        for line in self.range {
            let (image, y) = (line / output[0], line % output[0]);
            let gy = &self.gy[line * output[1] * channels..][..output[1] * channels];
            for &(tap_row, from_y) in &self.rows[y] {
                let x = &self.x[(image * size[0] + from_y) * size[1] * channels..][..size[1] * channels];
                for group in self.groups {
                    let gy = &gy[group.outputs.start * channels..group.outputs.end * channels];
                    let gw = &mut self.gw[(tap_row * window.kernel[1] + group.first) * channels..];
                    let columns = &group.columns;
                    match group.count {
                        5 => add_products::<S, 5>(simd, x, columns, moves, gy, channels, gw),
                        4 => add_products::<S, 4>(simd, x, columns, moves, gy, channels, gw),
                        3 => add_products::<S, 3>(simd, x, columns, moves, gy, channels, gw),
                        2 => add_products::<S, 2>(simd, x, columns, moves, gy, channels, gw),
                        _ => add_products::<S, 1>(simd, x, columns, moves, gy, channels, gw),
                    }
                }
            }
        }
    }
}

/// Adds to the weights of `COUNT` taps the sums over outputs of products of gradients and pixels.
#[inline(always)]
fn add_products<S: Simd, const COUNT: usize>(
    simd: S,
    x: &[f32],
    columns: &[usize],
    moves: usize,
    gy: &[f32],
    channels: usize,
    gw: &mut [f32],
) {
    let count = gy.len() / channels;
    let mut from: [&[f32]; COUNT] = [&[]; COUNT];
    for (from, column) in from.iter_mut().zip(columns) {
        *from = &x[column * channels..][..(count - 1) * moves + channels];
    }
    for channel in (0..channels).step_by(S::LANES) {
        let lanes = S::LANES.min(channels - channel);
        let mut sums = [simd.splat(0.0); COUNT];
        for (tap, sum) in sums.iter_mut().enumerate() {
            *sum = simd.read(&gw[tap * channels + channel..][..lanes]);
        }
        if lanes == S::LANES {
            for output in 0..count {
                // SAFETY: the slices reach over all channels of all outputs, and a whole vector of
                // channels begins at `channel`.
                unsafe {
                    let g = simd.load(gy.as_ptr().add(output * channels + channel));
                    for (from, sum) in from.iter().zip(&mut sums) {
                        *sum = simd.mul_add(simd.load(from.as_ptr().add(output * moves + channel)), g, *sum);
                    }
                }
            }
        } else {
            for output in 0..count {
                let g = simd.read(&gy[output * channels + channel..][..lanes]);
                for (from, sum) in from.iter().zip(&mut sums) {
                    *sum = simd.mul_add(simd.read(&from[output * moves + channel..][..lanes]), g, *sum);
                }
            }
        }
        for (tap, sum) in sums.iter().enumerate() {
            simd.write(&mut gw[tap * channels + channel..][..lanes], *sum);
        }
    }
}
