//! Maximum pooling.

use super::super::slide::Slide;
use super::super::{Cpu, EngineError, Result, Tape, Tensor, Window};
use super::buffer::Slot;
use super::split;
use super::wide::wide;

/// Stands for "no tap yet".
const NONE: u16 = u16::MAX;

/// See [`super::super::Kernels::max_pool`].
pub fn max_pool(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, window: &Window) -> Result<Tensor<Cpu>> {
    let slide = Slide::new("max_pool", x.dims(), window)?;
    if slide.taps() >= usize::from(NONE) || !slide.always_over_pixels() {
        let shapes = vec![x.dims().to_vec(), window.kernel.to_vec()];
        return Err(EngineError::Shapes { operation: "max_pool", shapes });
    }
    let [height, width] = slide.output;
    let dims = [slide.batch, height, width, slide.channels];
    if !tape.records(&[x]) {
        return Tensor::written(x.device(), &dims, |y| {
            let line = width * slide.channels;
            split::rows(y, line, |first, y| {
                let mut winners = vec![NONE; y.len()];
                forward(&slide, x.values(), first, y, &mut winners);
            });
        });
    }
    let mut winners = Vec::new();
    let y = Tensor::written(x.device(), &dims, |y| {
        winners = vec![NONE; y.len()];
        forward_recorded(&slide, x.values(), y, &mut winners);
    })?;
    let (y, of_y) = y.recorded();
    let of_x = Slot::of(x);
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        of_x.add(flow, |gx| backward(&slide, &gy, &winners, gx))
    });
    Ok(y)
}

fn forward_recorded(slide: &Slide, x: &[f32], y: &mut [f32], winners: &mut [u16]) {
    use rayon::prelude::*;
    let line = (slide.output[1] * slide.channels).max(1);
    let lines = (split::ELEMENTS / line).max(1);
    let chunks = y.par_chunks_mut(lines * line).zip(winners.par_chunks_mut(lines * line));
    chunks.enumerate().for_each(|(number, (y, winners))| forward(slide, x, number * lines, y, winners));
}

/// The output rows from `first` on, and which tap each value came from. The first of equal taps
/// wins, and NaN wins over all, as in torch.
fn forward(slide: &Slide, x: &[f32], first: usize, y: &mut [f32], winners: &mut [u16]) {
    let channels = slide.channels;
    let line = slide.output[1] * channels;
    let across = slide.window.kernel[1];
    let (rows, cols) = (slide.inputs(0), slide.inputs(1));
    y.fill(f32::NEG_INFINITY);
    wide(|| {
        for (row, (y, winners)) in y.chunks_exact_mut(line).zip(winners.chunks_exact_mut(line)).enumerate() {
            let (image, at) = ((first + row) / slide.output[0], (first + row) % slide.output[0]);
            let pixels = y.chunks_exact_mut(channels).zip(winners.chunks_exact_mut(channels));
            for ((y, winners), cols) in pixels.zip(&cols) {
                for &(tap_row, from_y) in &rows[at] {
                    for &(tap, from_x) in cols {
                        let start = ((image * slide.size[0] + from_y) * slide.size[1] + from_x) * channels;
                        let number = (tap_row * across + tap) as u16;
                        take_larger(y, winners, &x[start..][..channels], number);
                    }
                }
            }
        }
    });
}

#[inline(always)]
fn take_larger(y: &mut [f32], winners: &mut [u16], x: &[f32], tap: u16) {
    for ((y, winner), &x) in y.iter_mut().zip(winners).zip(x) {
        let wins = x > *y || *winner == NONE || x.is_nan();
        *y = if wins { x } else { *y };
        *winner = if wins { tap } else { *winner };
    }
}

/// Windows overlap within an image, never between two: a task has whole images.
fn backward(slide: &Slide, gy: &[f32], winners: &[u16], gx: &mut [f32]) {
    let channels = slide.channels;
    let of_image = slide.pixels() * channels;
    let taps: Vec<isize> = (0..slide.taps()).map(|tap| slide.distance(tap)).collect();
    split::chunks(gx, slide.image(), |image, gx| {
        let pixels = gy[image * of_image..][..of_image].chunks_exact(channels);
        let winners = winners[image * of_image..][..of_image].chunks_exact(channels);
        for (pixel, (gy, winners)) in pixels.zip(winners).enumerate() {
            let start = slide.corner(pixel);
            for (channel, (gy, &winner)) in gy.iter().zip(winners).enumerate() {
                let at = start + taps[usize::from(winner)] + channel as isize;
                gx[at as usize] += gy;
            }
        }
    });
}
