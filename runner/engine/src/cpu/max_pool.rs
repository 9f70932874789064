//! Maximum pooling.

use super::super::slide::Slide;
use super::super::{Cpu, EngineError, Result, Tape, Tensor, Window};
use super::buffer::Slot;
use super::split;
use super::wide::wide;
use rayon::prelude::*;

/// The number of a tap, as narrow as can be: one is kept for each output. Nothing where nobody asks for it.
trait Tap: Copy + Default + Send + Sync + 'static {
    fn of(number: usize) -> Self;
    fn number(self) -> usize;
}

macro_rules! taps {
    ($($number:ty)*) => {$(
        impl Tap for $number {
            fn of(number: usize) -> Self {
                number as $number
            }
            fn number(self) -> usize {
                usize::from(self)
            }
        }
    )*};
}
taps!(u8 u16);

impl Tap for () {
    fn of(_: usize) -> Self {}
    fn number(self) -> usize {
        0
    }
}

/// See [`super::super::Kernels::max_pool`].
pub fn max_pool(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, window: &Window) -> Result<Tensor<Cpu>> {
    let slide = Slide::new("max_pool", x.dims(), window)?;
    if slide.taps() > usize::from(u16::MAX) || !slide.always_over_pixels() {
        let shapes = vec![x.dims().to_vec(), window.kernel.to_vec()];
        return Err(EngineError::Shapes { operation: "max_pool", shapes });
    }
    if !tape.records(&[x]) {
        return Ok(pool::<()>(x, &slide)?.0);
    }
    if u8::try_from(slide.taps()).is_ok() { record::<u8>(tape, x, slide) } else { record::<u16>(tape, x, slide) }
}

fn record<T: Tap>(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, slide: Slide) -> Result<Tensor<Cpu>> {
    let (y, winners) = pool::<T>(x, &slide)?;
    let (y, of_y) = y.recorded();
    let of_x = Slot::of(x);
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        of_x.add(flow, |gx| backward(&slide, &gy, &winners, gx))
    });
    Ok(y)
}

/// The largest values, and which tap each came from.
fn pool<T: Tap>(x: &Tensor<Cpu>, slide: &Slide) -> Result<(Tensor<Cpu>, Vec<T>)> {
    let [height, width] = slide.output;
    let dims = [slide.batch, height, width, slide.channels];
    let line = (width * slide.channels).max(1);
    let lines = (split::ELEMENTS / line).max(1);
    let mut winners = vec![T::default(); dims.iter().product()];
    let y = Tensor::written(x.device(), &dims, |y| {
        let chunks = y.par_chunks_mut(lines * line).zip(winners.par_chunks_mut(lines * line));
        chunks.enumerate().for_each(|(number, (y, winners))| forward(slide, x.values(), number * lines, y, winners));
    })?;
    Ok((y, winners))
}

/// The output rows from `first` on, and which tap each value came from. The first of equal taps
/// wins, and NaN wins over all, as in torch.
fn forward<T: Tap>(slide: &Slide, x: &[f32], first: usize, y: &mut [f32], winners: &mut [T]) {
    let channels = slide.channels;
    let line = slide.output[1] * channels;
    let across = slide.window.kernel[1];
    let (rows, cols) = (slide.inputs(0), slide.inputs(1));
    wide!({
        for (row, (y, winners)) in y.chunks_exact_mut(line).zip(winners.chunks_exact_mut(line)).enumerate() {
            let (image, at) = ((first + row) / slide.output[0], (first + row) % slide.output[0]);
            let pixels = y.chunks_exact_mut(channels).zip(winners.chunks_exact_mut(channels));
            for ((y, winners), cols) in pixels.zip(&cols) {
                let mut first = true;
                for &(tap_row, from_y) in &rows[at] {
                    for &(tap, from_x) in cols {
                        let start = ((image * slide.size[0] + from_y) * slide.size[1] + from_x) * channels;
                        let (x, tap) = (&x[start..][..channels], T::of(tap_row * across + tap));
                        if std::mem::take(&mut first) {
                            y.copy_from_slice(x);
                            winners.fill(tap);
                        } else {
                            take_larger(y, winners, x, tap);
                        }
                    }
                }
            }
        }
    });
}

#[inline(always)]
fn take_larger<T: Tap>(y: &mut [f32], winners: &mut [T], x: &[f32], tap: T) {
    for ((y, winner), &x) in y.iter_mut().zip(winners).zip(x) {
        // Without a branch, so that it is vectorised.
        let wins = (x > *y) | x.is_nan();
        *y = if wins { x } else { *y };
        *winner = if wins { tap } else { *winner };
    }
}

/// Windows overlap within an image, never between two: a task has whole images.
fn backward<T: Tap>(slide: &Slide, gy: &[f32], winners: &[T], gx: &mut [f32]) {
    let channels = slide.channels;
    let of_image = slide.pixels() * channels;
    let taps: Vec<isize> = (0..slide.taps()).map(|tap| slide.distance(tap)).collect();
    split::chunks(gx, slide.image(), |image, gx| {
        let pixels = gy[image * of_image..][..of_image].chunks_exact(channels);
        let winners = winners[image * of_image..][..of_image].chunks_exact(channels);
        for (pixel, (gy, winners)) in pixels.zip(winners).enumerate() {
            let start = slide.corner(pixel);
            for (channel, (gy, &winner)) in gy.iter().zip(winners).enumerate() {
                let at = start + taps[winner.number()] + channel as isize;
                gx[at as usize] += gy;
            }
        }
    });
}
