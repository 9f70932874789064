//! The pixels under a window, laid out as the rows of a matrix ("im2col"), and back.

use super::super::slide::Slide;
use std::ops::Range;

impl Slide {
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

    /// Adds `buffer`, laid out as [`Slide::gather`] does, to the pixels it would come from.
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
