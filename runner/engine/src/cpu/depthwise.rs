//! Depthwise convolution: each channel alone, vectorised over channels.

use super::super::slide::Slide;
use super::super::{Cpu, Result, Tape, Tensor};
use super::buffer::record;
use super::depthwise_weights::add_weight_gradient;
use super::short_rows::ShortRows;
use super::simd::{self, Simd, WithSimd};
use super::split;
use super::sweep::Finish;

/// Pixels of a row that are summed at a time: the weights are read once for all of them.
const PIXELS: usize = 4;

/// The taps that lie over a row or a column, with the row or column that each then takes.
type Taps = Vec<(usize, usize)>;

/// Depthwise convolution; `weight` is (KH, KW, 1, C).
pub fn conv2d(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, weight: &Tensor<Cpu>, slide: Slide) -> Result<Tensor<Cpu>> {
    let [height, width] = slide.output;
    let dims = [slide.batch, height, width, slide.channels];
    let y = Tensor::written(x.device(), &dims, |y| forward(&slide, x.values(), weight.values(), y, None))?;
    let of_weight = move |x: &[f32], gy: &[f32], gw: &mut [f32]| add_weight_gradient(&slide, x, gy, gw);
    Ok(record(tape, y, [x, weight], of_weight, move |weight, gy, gx, add| {
        input_gradient(&slide, weight.values(), gy, gx, add);
    }))
}

/// Writes the convolution to `y`.
pub fn forward(slide: &Slide, x: &[f32], weight: &[f32], y: &mut [f32], finish: Option<&Finish>) {
    let (rows, columns) = (slide.inputs(0), slide.inputs(1));
    let sums = Sums {
        channels: slide.channels,
        across: slide.window.kernel[1],
        rows: &rows,
        runs: &runs(&columns, 1, slide.window.stride[1]),
        short: ShortRows::of(slide, false),
        to: slide.output,
        from: slide.size,
        values: x,
        weight,
        finish,
    };
    sums.run(y, false);
}

/// The gradient to the input is the same sum seen from the other side: over the outputs that a
/// pixel took part in.
fn input_gradient(slide: &Slide, weight: &[f32], gy: &[f32], gx: &mut [f32], add: bool) {
    let (rows, columns) = (slide.outputs(0), slide.outputs(1));
    let sums = Sums {
        channels: slide.channels,
        across: slide.window.kernel[1],
        rows: &rows,
        runs: &runs(&columns, slide.window.stride[1], 1),
        short: ShortRows::of(slide, true),
        to: slide.size,
        from: slide.output,
        values: gy,
        weight,
        finish: None,
    };
    sums.run(gx, add);
}

/// Pixels of a row that see the same taps.
struct Run {
    /// The first, how many, and the distance from one to the next.
    first: usize,
    count: usize,
    step: usize,
    /// The taps of the first, and by how much what they take moves from one pixel to the next.
    taps: Taps,
    moves: usize,
}

/// Divides columns into runs of up to [`PIXELS`], `step` columns apart, whose taps move by `moves`.
fn runs(columns: &[Taps], step: usize, moves: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for class in 0..step.min(columns.len()) {
        let mut open = false;
        for column in (class..columns.len()).step_by(step) {
            let taps = &columns[column];
            if let Some(run) = runs.last_mut().filter(|run| open && run.count < PIXELS) {
                let moved = run.taps.iter().map(|&(tap, from)| (tap, from + run.count * moves));
                if moved.eq(taps.iter().copied()) {
                    run.count += 1;
                    continue;
                }
            }
            runs.push(Run { first: column, count: 1, step, taps: taps.clone(), moves });
            open = true;
        }
    }
    runs
}

/// For each pixel, the sum over taps of products of pixels and weights.
struct Sums<'a> {
    channels: usize,
    /// Taps of a row of the window.
    across: usize,
    /// By row: its taps.
    rows: &'a [Taps],
    runs: &'a [Run],
    /// How whole rows are summed, where they are short.
    short: Option<ShortRows>,
    /// Height and width of what is written, and of what is read.
    to: [usize; 2],
    from: [usize; 2],
    values: &'a [f32],
    weight: &'a [f32],
    finish: Option<&'a Finish<'a>>,
}

impl Sums<'_> {
    /// Writes the sums, or adds them to what is there.
    fn run(&self, to: &mut [f32], add: bool) {
        split::rows(to, self.to[1] * self.channels, |first, to| simd::dispatch(Lines { sums: self, first, to, add }));
    }
}

/// Some rows of the sums.
struct Lines<'a> {
    sums: &'a Sums<'a>,
    first: usize,
    to: &'a mut [f32],
    add: bool,
}

impl WithSimd for Lines<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Sums { channels, across, rows, runs, short, to: to_size, from, values, weight, finish } = *self.sums;
        let (line, read) = (to_size[1] * channels, from[1] * channels);
        // Whole rows where they are short, else runs of them.
        let runs = if short.is_some() { &[] } else { runs };
        let mut terms: Vec<(&[f32], &[f32])> = Vec::new();
        for (row, to) in self.to.chunks_exact_mut(line.max(1)).enumerate() {
            let (image, y) = ((self.first + row) / to_size[0], (self.first + row) % to_size[0]);
            if let Some(short) = short {
                terms.clear();
                terms.extend(rows[y].iter().map(|&(tap_row, from_y)| {
                    let weights = &weight[tap_row * across * channels..][..across * channels];
                    (&values[(image * from[0] + from_y) * read..][..read], weights)
                }));
                short.sum(simd, &terms, channels, to, self.add);
            }
            for run in runs {
                terms.clear();
                let reach = (run.count - 1) * run.moves * channels + channels;
                for &(tap_row, from_y) in &rows[y] {
                    let line = (image * from[0] + from_y) * from[1];
                    terms.extend(run.taps.iter().map(|&(tap, from_x)| {
                        let values = &values[(line + from_x) * channels..][..reach];
                        (values, &weight[(tap_row * across + tap) * channels..][..channels])
                    }));
                }
                let to = &mut to[run.first * channels..];
                let (step, moves) = (run.step * channels, run.moves * channels);
                match run.count {
                    4 => products::<S, 4>(simd, &terms, channels, moves, to, step, self.add),
                    3 => products::<S, 3>(simd, &terms, channels, moves, to, step, self.add),
                    2 => products::<S, 2>(simd, &terms, channels, moves, to, step, self.add),
                    _ => products::<S, 1>(simd, &terms, channels, moves, to, step, self.add),
                }
            }
            if let Some(finish) = finish {
                finish((self.first + row) * line, 0..channels, to);
            }
        }
    }
}

/// Writes to `COUNT` pixels, `step` values apart, or adds to them, the products of what lies `moves` values
/// apart with the same weights.
#[inline(always)]
fn products<S: Simd, const COUNT: usize>(
    simd: S,
    terms: &[(&[f32], &[f32])],
    channels: usize,
    moves: usize,
    to: &mut [f32],
    step: usize,
    add: bool,
) {
    let whole = channels / S::LANES * S::LANES;
    for channel in (0..whole).step_by(S::LANES) {
        let mut sums = [simd.splat(0.0); COUNT];
        if add {
            for (pixel, sum) in sums.iter_mut().enumerate() {
                *sum = simd.read(&to[pixel * step + channel..]);
            }
        }
        for &(values, weight) in terms {
            debug_assert!(values.len() == (COUNT - 1) * moves + channels && weight.len() == channels);
            // SAFETY: the slices of terms were cut to reach over all channels of all pixels, and a whole
            // vector of channels begins at `channel`.
            unsafe {
                let weight = simd.load(weight.as_ptr().add(channel));
                for (pixel, sum) in sums.iter_mut().enumerate() {
                    *sum = simd.mul_add(simd.load(values.as_ptr().add(pixel * moves + channel)), weight, *sum);
                }
            }
        }
        for (pixel, sum) in sums.iter().enumerate() {
            simd.write(&mut to[pixel * step + channel..][..S::LANES], *sum);
        }
    }
    if whole < channels {
        for pixel in 0..COUNT {
            let to = &mut to[pixel * step + whole..pixel * step + channels];
            let mut sum = if add { simd.read(to) } else { simd.splat(0.0) };
            for &(values, weight) in terms {
                let values = &values[pixel * moves + whole..pixel * moves + channels];
                sum = simd.mul_add(simd.read(values), simd.read(&weight[whole..]), sum);
            }
            simd.write(to, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_each_column_once() {
        let window = crate::Window {
            kernel: [3, 3],
            stride: [2, 2],
            dilation: [1, 1],
            padding: crate::Padding::symmetric(1, 1),
        };
        let slide = Slide::new("test", &[1, 13, 13, 8], &window).unwrap();
        for (columns, step, moves) in [(slide.inputs(1), 1, 2), (slide.outputs(1), 2, 1)] {
            let runs = runs(&columns, step, moves);
            let covers = |run: &Run| (0..run.count).map(|pixel| run.first + pixel * run.step).collect::<Vec<_>>();
            let mut covered: Vec<usize> = runs.iter().flat_map(covers).collect();
            covered.sort_unstable();
            assert_eq!(covered, (0..columns.len()).collect::<Vec<_>>());
            assert!(runs.iter().any(|run| run.count == PIXELS));
        }
    }
}
