//! Depthwise sums over images with short rows: a row of outputs stays in registers, and each pixel is loaded once a row of
//! the window. Where the images are larger, few outputs have taps over padding, and rows are divided into runs.

// Taps and pixels are places in several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::super::slide::Slide;
use super::simd::Simd;

/// Rows of so many pixels have loops of their own.
const SHORT: std::ops::RangeInclusive<usize> = 2..=8;

/// A row of pixels, and the weights of the row of the window that lies over it.
pub type Line<'a> = (&'a [f32], &'a [f32]);

/// How a row of outputs is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortRows {
    /// Pixels of a row, of the input and of the output.
    width: usize,
    /// Taps of a row of the window, which is centred.
    taps: usize,
    /// Whether the window is turned round: for the gradient to the input.
    reversed: bool,
}

impl ShortRows {
    /// Where the rows are short, and windows move by one pixel and are centred.
    pub fn of(slide: &Slide, reversed: bool) -> Option<Self> {
        let window = slide.window;
        let (width, taps) = (slide.size[1], window.kernel[1]);
        let centred = window.stride[1] == 1 && window.dilation[1] == 1 && window.padding.left == taps / 2;
        let fits = centred && slide.output[1] == width && SHORT.contains(&width) && matches!(taps, 3 | 5);
        fits.then_some(ShortRows { width, taps, reversed })
    }

    /// Writes a row of outputs, or adds them to what is there.
    #[inline(always)]
    pub fn sum<S: Simd>(self, simd: S, lines: &[Line], channels: usize, to: &mut [f32], add: bool) {
        let reversed = self.reversed;
        match (self.width, self.taps) {
            (2, 3) => row::<S, 2, 3>(simd, reversed, lines, channels, to, add),
            (3, 3) => row::<S, 3, 3>(simd, reversed, lines, channels, to, add),
            (4, 3) => row::<S, 4, 3>(simd, reversed, lines, channels, to, add),
            (5, 3) => row::<S, 5, 3>(simd, reversed, lines, channels, to, add),
            (6, 3) => row::<S, 6, 3>(simd, reversed, lines, channels, to, add),
            (7, 3) => row::<S, 7, 3>(simd, reversed, lines, channels, to, add),
            (8, 3) => row::<S, 8, 3>(simd, reversed, lines, channels, to, add),
            (2, 5) => row::<S, 2, 5>(simd, reversed, lines, channels, to, add),
            (3, 5) => row::<S, 3, 5>(simd, reversed, lines, channels, to, add),
            (4, 5) => row::<S, 4, 5>(simd, reversed, lines, channels, to, add),
            (5, 5) => row::<S, 5, 5>(simd, reversed, lines, channels, to, add),
            (6, 5) => row::<S, 6, 5>(simd, reversed, lines, channels, to, add),
            (7, 5) => row::<S, 7, 5>(simd, reversed, lines, channels, to, add),
            (8, 5) => row::<S, 8, 5>(simd, reversed, lines, channels, to, add),
            _ => unreachable!("`of` has looked at the sizes"),
        }
    }
}

#[inline(always)]
fn row<S: Simd, const WIDTH: usize, const TAPS: usize>(
    simd: S,
    reversed: bool,
    lines: &[Line],
    channels: usize,
    to: &mut [f32],
    add: bool,
) {
    assert!(to.len() == WIDTH * channels);
    assert!(lines.iter().all(|(pixels, weights)| pixels.len() == WIDTH * channels && weights.len() == TAPS * channels));
    let whole = channels / S::LANES * S::LANES;
    for channel in (0..whole).step_by(S::LANES) {
        some_channels::<S, WIDTH, TAPS>(simd, reversed, lines, channels, channel, S::LANES, to, add);
    }
    if whole < channels {
        some_channels::<S, WIDTH, TAPS>(simd, reversed, lines, channels, whole, channels - whole, to, add);
    }
}

/// The sums of `lanes` channels from `channel` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn some_channels<S: Simd, const WIDTH: usize, const TAPS: usize>(
    simd: S,
    reversed: bool,
    lines: &[Line],
    channels: usize,
    channel: usize,
    lanes: usize,
    to: &mut [f32],
    add: bool,
) {
    // SAFETY: `row` has made sure that each slice has all channels of the pixels or taps that are asked for, and that
    // there are `lanes` channels from `channel` on.
    let load =
        |from: &[f32], place: usize| unsafe { simd.load_some(from.as_ptr().add(place * channels + channel), lanes) };
    let mut sums: [S::Vector; WIDTH] = std::array::from_fn(|_| simd.splat(0.0));
    if add {
        for output in 0..WIDTH {
            sums[output] = load(to, output);
        }
    }
    for (pixels, weights) in lines {
        let weights: [S::Vector; TAPS] =
            std::array::from_fn(|tap| load(weights, if reversed { TAPS - 1 - tap } else { tap }));
        for column in 0..WIDTH {
            let pixel = load(pixels, column);
            for output in 0..WIDTH {
                let tap = column + TAPS / 2;
                if tap >= output && tap - output < TAPS {
                    sums[output] = simd.mul_add(pixel, weights[tap - output], sums[output]);
                }
            }
        }
    }
    for output in 0..WIDTH {
        // SAFETY: as above.
        unsafe { simd.store_some(to.as_mut_ptr().add(output * channels + channel), lanes, sums[output]) };
    }
}
