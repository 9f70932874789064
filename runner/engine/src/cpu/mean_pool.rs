//! Average pooling, over windows and over the cells of a grid.

use super::super::cells::Cells;
use super::super::{Cpu, Result, Tape, Tensor, Window};
use super::buffer::Slot;
use super::split;
use super::wide::wide;

/// See [`super::super::Kernels::avg_pool`].
pub fn avg_pool(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, window: &Window, count_padding: bool) -> Result<Tensor<Cpu>> {
    Cells::of_window(x.dims(), window, count_padding)?.run(tape, x)
}

/// See [`super::super::Kernels::adaptive_avg_pool`].
pub fn adaptive_avg_pool(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, output: [usize; 2]) -> Result<Tensor<Cpu>> {
    Cells::of_grid(x.dims(), output)?.run(tape, x)
}

impl Cells {
    fn run(self, tape: &mut Tape<Cpu>, x: &Tensor<Cpu>) -> Result<Tensor<Cpu>> {
        let y = Tensor::filled(x.device(), &self.dims(), |y| self.forward(x.values(), y))?;
        if !tape.records(&[x]) {
            return Ok(y);
        }
        let (y, of_y) = y.recorded();
        let of_x = Slot::of(x);
        tape.push(move |flow| {
            let gy = of_y.take(flow)?;
            of_x.add(flow, |gx| self.backward(&gy, gx))
        });
        Ok(y)
    }

    /// Values of the output of one image.
    fn of_image(&self) -> usize {
        self.axes[0].len() * self.axes[1].len() * self.channels
    }

    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let channels = self.channels;
        let image_len = self.size[0] * self.size[1] * channels;
        split::chunks(y, self.of_image(), |image, y| {
            let x = &x[image * image_len..][..image_len];
            let mut line = vec![0.0_f32; channels];
            let mut pixels = y.chunks_exact_mut(channels);
            wide!({
                for rows in &self.axes[0] {
                    for (columns, y) in self.axes[1].iter().zip(&mut pixels) {
                        for row in rows {
                            // Each row has its own sum, so that a large cell loses little.
                            line.fill(0.0);
                            for column in columns {
                                let x = &x[(row * self.size[1] + column) * channels..][..channels];
                                line.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
                            }
                            y.iter_mut().zip(&line).for_each(|(sum, line)| *sum += line);
                        }
                        let factor = self.factor(rows, columns);
                        for y in y {
                            *y *= factor;
                        }
                    }
                }
            });
        });
    }

    fn backward(&self, gy: &[f32], gx: &mut [f32]) {
        let channels = self.channels;
        split::chunks(gx, self.size[0] * self.size[1] * channels, |image, gx| {
            let mut pixels = gy[image * self.of_image()..][..self.of_image()].chunks_exact(channels);
            wide!({
                for rows in &self.axes[0] {
                    for (columns, gy) in self.axes[1].iter().zip(&mut pixels) {
                        let factor = self.factor(rows, columns);
                        for row in rows {
                            for column in columns {
                                let gx = &mut gx[(row * self.size[1] + column) * channels..][..channels];
                                gx.iter_mut().zip(gy).for_each(|(gx, gy)| *gx += gy * factor);
                            }
                        }
                    }
                }
            });
        });
    }
}
