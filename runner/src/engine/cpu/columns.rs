//! The pixels under a window, laid out as the rows of a matrix ("im2col"), and back.

use super::super::{EngineError, Result, Window};
use std::ops::Range;

/// A window over a batch of images: all the sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// Images.
    pub batch: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Channels of the input.
    pub channels: usize,
    /// Height and width of the output.
    pub output: [usize; 2],
    /// The window.
    pub window: Window,
}

impl Columns {
    /// The window over images of shape (N, H, W, C).
    pub fn new(operation: &'static str, dims: &[usize], window: &Window) -> Result<Self> {
        let shapes = || EngineError::Shapes { operation, shapes: vec![dims.to_vec(), window.kernel.to_vec()] };
        let &[batch, height, width, channels] = dims else { return Err(shapes()) };
        let size = [height, width];
        let output = window.output(size).ok_or_else(shapes)?;
        Ok(Columns { batch, size, channels, output, window: *window })
    }

    /// Taps of the window.
    pub fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1]
    }

    /// Pixels of the output of one image.
    pub fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Output pixels of the whole batch.
    pub fn rows(&self) -> usize {
        self.batch * self.pixels()
    }

    /// Values of one input image.
    pub fn image(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Where the window of output `position` begins along an axis, padding counted negative.
    fn begin(&self, axis: usize, position: usize) -> isize {
        let padding = if axis == 0 { self.window.padding.top } else { self.window.padding.left };
        (position * self.window.stride[axis]) as isize - padding as isize
    }

    /// Where in its image the first tap of an output pixel lies; negative in padding.
    pub fn corner(&self, pixel: usize) -> isize {
        let (row, column) = (self.begin(0, pixel / self.output[1]), self.begin(1, pixel % self.output[1]));
        (row * self.size[1] as isize + column) * self.channels as isize
    }

    /// How far in memory a tap of the window is from the first one.
    pub fn distance(&self, tap: usize) -> isize {
        let across = self.window.kernel[1];
        let [down, right] = [tap / across * self.window.dilation[0], tap % across * self.window.dilation[1]];
        ((down * self.size[1] + right) * self.channels) as isize
    }

    /// The input coordinate under a tap of output `position`, unless it is padding.
    pub fn under(&self, axis: usize, position: usize, tap: usize) -> Option<usize> {
        let at = self.begin(axis, position) + (tap * self.window.dilation[axis]) as isize;
        usize::try_from(at).ok().filter(|&at| at < self.size[axis])
    }

    /// For each output coordinate along an axis: the taps that are not over padding, with the
    /// input coordinates under them.
    pub fn inputs(&self, axis: usize) -> Vec<Vec<(usize, usize)>> {
        let taps = 0..self.window.kernel[axis];
        let of = |position| taps.clone().filter_map(move |tap| Some((tap, self.under(axis, position, tap)?))).collect();
        (0..self.output[axis]).map(of).collect()
    }

    /// For each input coordinate along an axis: the taps that ever lie on it, with the output
    /// coordinates they then belong to.
    pub fn outputs(&self, axis: usize) -> Vec<Vec<(usize, usize)>> {
        let mut outputs = vec![Vec::new(); self.size[axis]];
        for (position, inputs) in self.inputs(axis).into_iter().enumerate() {
            for (tap, at) in inputs {
                outputs[at].push((tap, position));
            }
        }
        outputs
    }

    /// Copies what lies under the taps `taps` of the output pixels `rows` into `buffer`, shape
    /// (rows, taps, channels); zeros where there is padding.
    pub fn gather(
        &self,
        images: &[f32],
        channels: &Range<usize>,
        rows: Range<usize>,
        taps: &Range<usize>,
        buffer: &mut [f32],
    ) {
        let count = channels.len();
        let mut runs = buffer;
        self.each_run(channels, rows, taps, |run| {
            let (before, rest) = std::mem::take(&mut runs).split_at_mut(run.before * count);
            let (inside, rest) = rest.split_at_mut(run.inside * count);
            let (after, rest) = rest.split_at_mut(run.after * count);
            before.fill(0.0);
            after.fill(0.0);
            match run.step {
                _ if inside.is_empty() => {}
                1 => inside.copy_from_slice(&images[run.start..][..inside.len()]),
                step => {
                    for (tap, inside) in inside.chunks_exact_mut(count).enumerate() {
                        inside.copy_from_slice(&images[run.start + tap * step..][..count]);
                    }
                }
            }
            runs = rest;
        });
    }

    /// Adds `buffer`, laid out as [`Columns::gather`] does, to the pixels it would come from.
    pub fn scatter(
        &self,
        images: &mut [f32],
        channels: &Range<usize>,
        rows: Range<usize>,
        taps: &Range<usize>,
        buffer: &[f32],
    ) {
        let count = channels.len();
        let mut runs = buffer;
        let add = |sum: &mut [f32], values: &[f32]| sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        self.each_run(channels, rows, taps, |run| {
            let (run_values, rest) = runs.split_at((run.before + run.inside + run.after) * count);
            let inside = &run_values[run.before * count..][..run.inside * count];
            match run.step {
                _ if inside.is_empty() => {}
                1 => add(&mut images[run.start..][..inside.len()], inside),
                step => {
                    for (tap, inside) in inside.chunks_exact(count).enumerate() {
                        add(&mut images[run.start + tap * step..][..count], inside);
                    }
                }
            }
            runs = rest;
        });
    }

    /// Calls `f` for each row of the window (cut to `taps`) of each output pixel.
    #[inline(always)]
    fn each_run(&self, channels: &Range<usize>, rows: Range<usize>, taps: &Range<usize>, mut f: impl FnMut(Run)) {
        let [height, width] = self.size;
        let [_, across] = self.window.kernel;
        let dilation = self.window.dilation[1];
        // A whole row of the window is one run in memory when nothing is skipped between its taps.
        let step = if channels.len() == self.channels && dilation == 1 { 1 } else { dilation * self.channels };
        for row in rows {
            let (image, pixel) = (row / self.pixels(), row % self.pixels());
            let (top, left) = (self.begin(0, pixel / self.output[1]), self.begin(1, pixel % self.output[1]));
            for tap_row in taps.start / across..taps.end.div_ceil(across) {
                let first = taps.start.max(tap_row * across) - tap_row * across;
                let last = taps.end.min((tap_row + 1) * across) - tap_row * across;
                let y = top + (tap_row * self.window.dilation[0]) as isize;
                let x = |tap: usize| left + (tap * dilation) as isize;
                if y < 0 || y >= height as isize {
                    f(Run { before: last - first, inside: 0, after: 0, start: 0, step });
                    continue;
                }
                let mut begin = first;
                while begin < last && x(begin) < 0 {
                    begin += 1;
                }
                let mut end = last;
                while end > begin && x(end - 1) >= width as isize {
                    end -= 1;
                }
                let start = if begin < end {
                    ((image * height + y as usize) * width + x(begin) as usize) * self.channels + channels.start
                } else {
                    0
                };
                f(Run { before: begin - first, inside: end - begin, after: last - end, start, step });
            }
        }
    }
}

/// One row of a window over one output pixel.
struct Run {
    /// Taps over padding at the left.
    before: usize,
    /// Taps over pixels.
    inside: usize,
    /// Taps over padding at the right.
    after: usize,
    /// Where the first pixel's values begin.
    start: usize,
    /// Values from one tap's to the next's; 1 where they follow one another.
    step: usize,
}
