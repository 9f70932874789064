//! Images brought to a multiple of their size.

use super::super::resample::{Interpolation, Pair, Resample};
use super::super::{Cpu, Result, Tape, Tensor};
use super::buffer::Slot;
use super::split;

/// See [`super::super::Kernels::upsample`].
pub fn upsample(
    tape: &mut Tape<Cpu>,
    x: &Tensor<Cpu>,
    factor: [usize; 2],
    interpolation: Interpolation,
) -> Result<Tensor<Cpu>> {
    let resample = Resample::new(x.dims(), factor, interpolation)?;
    let y = Tensor::filled(x.device(), &resample.dims(), |y| resample.forward(x.values(), y))?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let of_x = Slot::of(x);
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        of_x.add(flow, |gx| resample.backward(&gy, gx))
    });
    Ok(y)
}

impl Resample {
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        split::chunks(y, self.output_image(), |image, y| {
            let x = &x[image * self.image()..][..self.image()];
            self.each_pixel(y.chunks_exact_mut(self.channels), |y, at, weight| {
                y.iter_mut().zip(&x[at..]).for_each(|(y, x)| *y += weight * x);
            });
        });
    }

    fn backward(&self, gy: &[f32], gx: &mut [f32]) {
        split::chunks(gx, self.image(), |image, gx| {
            let gy = &gy[image * self.output_image()..][..self.output_image()];
            self.each_pixel(gy.chunks_exact(self.channels), |gy, at, weight| {
                gx[at..].iter_mut().zip(gy.iter()).for_each(|(gx, gy)| *gx += weight * gy);
            });
        });
    }

    /// Calls `f` for each pixel of an output image and each place that counts in it: where the
    /// place's values begin in the input image, and its weight.
    fn each_pixel<P>(&self, pixels: impl Iterator<Item = P>, mut f: impl FnMut(&mut P, usize, f32)) {
        let places = self.axes[0].iter().flat_map(|rows| self.axes[1].iter().map(move |columns| (rows, columns)));
        for (mut pixel, (rows, columns)) in pixels.zip(places) {
            for (row, of_row) in counting(rows) {
                for (column, of_column) in counting(columns) {
                    f(&mut pixel, (row * self.size[1] + column) * self.channels, of_row * of_column);
                }
            }
        }
    }
}

fn counting(pair: &Pair) -> impl Iterator<Item = (usize, f32)> + '_ {
    pair.iter().copied().filter(|&(_, weight)| weight != 0.0)
}
