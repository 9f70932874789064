//! Average pooling, over windows and over the cells of a grid.

use super::super::{Cpu, EngineError, Result, Tape, Tensor, Window};
use super::buffer::Slot;
use super::columns::Columns;
use super::split;
use super::wide::wide;

/// For each output coordinate along an axis, the input coordinates it is the mean of.
type Axis = Vec<Vec<usize>>;

/// Means over products of rows and columns of an image.
struct Means {
    batch: usize,
    size: [usize; 2],
    channels: usize,
    axes: [Axis; 2],
    /// What each sum is divided by; the number of its pixels where `None`.
    divisor: Option<usize>,
}

/// See [`super::super::Kernels::avg_pool`].
pub fn avg_pool(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, window: &Window, count_padding: bool) -> Result<Tensor<Cpu>> {
    let columns = Columns::new("avg_pool", x.dims(), window)?;
    let axis = |axis| -> Axis {
        columns.inputs(axis).into_iter().map(|inputs| inputs.into_iter().map(|(_, at)| at).collect()).collect()
    };
    let means = Means {
        batch: columns.batch,
        size: columns.size,
        channels: columns.channels,
        axes: [axis(0), axis(1)],
        divisor: count_padding.then(|| columns.taps()),
    };
    means.run(tape, x)
}

/// See [`super::super::Kernels::adaptive_avg_pool`].
pub fn adaptive_avg_pool(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, output: [usize; 2]) -> Result<Tensor<Cpu>> {
    let &[batch, height, width, channels] = x.dims() else {
        let shapes = vec![x.dims().to_vec(), output.to_vec()];
        return Err(EngineError::Shapes { operation: "adaptive_avg_pool", shapes });
    };
    let size = [height, width];
    let axis = |axis: usize| -> Axis {
        let (size, cells) = (size[axis], output[axis]);
        (0..cells).map(|cell| (cell * size / cells..((cell + 1) * size).div_ceil(cells)).collect()).collect()
    };
    Means { batch, size, channels, axes: [axis(0), axis(1)], divisor: None }.run(tape, x)
}

impl Means {
    fn run(self, tape: &mut Tape<Cpu>, x: &Tensor<Cpu>) -> Result<Tensor<Cpu>> {
        let dims = [self.batch, self.axes[0].len(), self.axes[1].len(), self.channels];
        let y = Tensor::filled(x.device(), &dims, |y| self.forward(x.values(), y))?;
        if !tape.records(&[x]) {
            return Ok(y);
        }
        let (of_y, of_x) = (Slot::of(&y), Slot::of(x));
        tape.push(move |flow| {
            let gy = of_y.take(flow)?;
            self.backward(&gy, of_x.get(flow)?);
            Ok(())
        });
        Ok(y.wanting_grad(true))
    }

    fn factor(&self, rows: &[usize], columns: &[usize]) -> f32 {
        1.0 / self.divisor.unwrap_or(rows.len() * columns.len()).max(1) as f32
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
            wide(|| {
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
                        y.iter_mut().for_each(|y| *y *= factor);
                    }
                }
            });
        });
    }

    fn backward(&self, gy: &[f32], gx: &mut [f32]) {
        let channels = self.channels;
        split::chunks(gx, self.size[0] * self.size[1] * channels, |image, gx| {
            let mut pixels = gy[image * self.of_image()..][..self.of_image()].chunks_exact(channels);
            wide(|| {
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
