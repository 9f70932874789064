//! Stochastic pooling (Zeiler and Fergus, "Stochastic pooling for regularization of deep
//! convolutional neural networks", ICLR 2013).

use runner_plugin::random::unit;
use runner_plugin::{Backward, Error, Forward, Layer, Shape, parallel};
use serde_json::{Value, json};

runner_plugin::export_layers!(StochasticPool);

/// Pools by sampling.
#[derive(Debug, Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Height and width of the window.
    #[schemars(range(min = 1))]
    size: usize,
    /// How far the window moves each time. As `size`, if it is left out: windows that touch.
    #[serde(default)]
    #[schemars(range(min = 1))]
    stride: Option<usize>,
}

/// The layer.
#[derive(Debug)]
pub struct StochasticPool {
    size: usize,
    stride: usize,
}

impl Layer for StochasticPool {
    const NAME: &'static str = "stochastic_pool";
    const DOCUMENTATION: &'static str = "Stochastic pooling (Zeiler and Fergus 2013).\n\n\
        In training, one value of each window is sampled, with a probability in proportion to it; in \
        evaluation, the output is the mean of the values, weighted by these probabilities. Values \
        below 0 count as 0: put it after a ReLU.";
    const RANDOM: bool = true;
    const FORGETS_OUTPUT: bool = true;
    type Arguments = Arguments;

    fn examples() -> Vec<Value> {
        vec![json!({ "size": 2 }), json!({ "size": 3, "stride": 2 }), json!({ "size": 2, "stride": 3 })]
    }

    fn new(Arguments { size, stride }: Arguments) -> Result<Self, Error> {
        let stride = stride.unwrap_or(size);
        if size == 0 || stride == 0 {
            return Err("size and stride must be at least 1".into());
        }
        Ok(StochasticPool { size, stride })
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        let (h, w, c) = inputs[0].image()?;
        if h < self.size || w < self.size {
            return Err(format!("a window of {0} x {0} does not fit into {h} x {w}", self.size).into());
        }
        Ok([(h - self.size) / self.stride + 1, (w - self.size) / self.stride + 1, c].into())
    }

    fn scratch_bytes(&self, inputs: &[Shape], batch: usize) -> usize {
        self.output_shape(inputs).map_or(0, |output| batch * output.count() * size_of::<u32>())
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        let windows = Windows::new(self, pass.inputs[0].shape(), pass.output_shape)?;
        let (images, random, row) = (pass.inputs[0], pass.random, windows.row());
        if row == 0 {
            return Ok(());
        }
        if !pass.training {
            parallel::for_each(pass.output.chunks_mut(row), |i, output| {
                windows.means(images.row(i / windows.rows), i % windows.rows, output);
            });
            return Ok(());
        }
        let chosen = pass.scratch.numbers::<u32>().chunks_mut(row);
        parallel::for_each(pass.output.chunks_mut(row).zip(chosen), |i, (output, chosen)| {
            let (image, y) = (i / windows.rows, i % windows.rows);
            // What is drawn is kept where what it chooses will be.
            random.row(image).at((y * row) as u64).fill(chosen);
            windows.sample(images.row(image), y, output, chosen);
        });
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
        let windows = Windows::new(self, pass.inputs[0].shape(), pass.output.shape())?;
        let (images, dy, training) = (pass.inputs[0], pass.output_gradient, pass.training);
        let (size, row) = (images.shape().count(), windows.row());
        let Some(dx) = pass.input_gradients[0].as_mut().filter(|_| row > 0) else { return Ok(()) };
        let chosen: &[u32] = pass.scratch.numbers();
        // Windows of one image may overlap, those of two do not.
        parallel::for_each(dx.chunks_mut(size), |image, dx| {
            for y in 0..windows.rows {
                let at = (image * windows.rows + y) * row;
                let dy = &dy[at..at + row];
                if training {
                    windows.scatter(&chosen[at..at + row], y, dy, dx);
                } else {
                    windows.means_gradient(images.row(image), y, dy, dx);
                }
            }
        });
        Ok(())
    }
}

/// Where the windows of an image are.
struct Windows {
    size: usize,
    stride: usize,
    /// Width of the image.
    width: usize,
    channels: usize,
    /// Rows and columns of windows.
    rows: usize,
    columns: usize,
}

impl Windows {
    fn new(layer: &StochasticPool, input: Shape, output: Shape) -> Result<Self, Error> {
        let ((_, width, channels), (rows, columns, _)) = (input.image()?, output.image()?);
        Ok(Windows { size: layer.size, stride: layer.stride, width, channels, rows, columns })
    }

    /// Values of one row of the output.
    fn row(&self) -> usize {
        self.columns * self.channels
    }

    /// Where the channels of each place of window (`y`, `x`) begin in the image.
    fn places(&self, y: usize, x: usize) -> impl Iterator<Item = usize> {
        let first = (y * self.stride * self.width + x * self.stride) * self.channels;
        let (size, channels, width) = (self.size, self.channels, self.width);
        (0..size * size).map(move |k| first + (k / size * width + k % size) * channels)
    }

    /// The sums of each window's values and of their squares, by channel.
    fn sums(&self, image: &[f32], y: usize, x: usize, sums: &mut [f32], squares: &mut [f32]) {
        sums.fill(0.0);
        squares.fill(0.0);
        for place in self.places(y, x) {
            let values = &image[place..place + self.channels];
            for ((sum, square), value) in sums.iter_mut().zip(&mut *squares).zip(values) {
                let value = positive(*value);
                *sum += value;
                *square += value * value;
            }
        }
    }

    /// One row of outputs in evaluation: the sum of a * a / sum of a.
    fn means(&self, image: &[f32], y: usize, output: &mut [f32]) {
        let mut sums = vec![0.0; self.channels];
        for (x, output) in output.chunks_mut(self.channels).enumerate() {
            self.sums(image, y, x, &mut sums, output);
            output.iter_mut().zip(&sums).for_each(|(square, sum)| *square = mean(*square, *sum));
        }
    }

    /// Adds what `means` leads to: (2 a - mean) / sum of a, for each value above 0.
    fn means_gradient(&self, image: &[f32], y: usize, dy: &[f32], dx: &mut [f32]) {
        let (mut sums, mut means) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (x, dy) in dy.chunks(self.channels).enumerate() {
            self.sums(image, y, x, &mut sums, &mut means);
            means.iter_mut().zip(&sums).for_each(|(square, sum)| *square = mean(*square, *sum));
            for place in self.places(y, x) {
                let range = place..place + self.channels;
                let of = image[range.clone()].iter().zip(dy).zip(&means).zip(&sums);
                for (dx, (((value, dy), mean), sum)) in dx[range].iter_mut().zip(of) {
                    let slope = (2.0 * value - mean) / sum * dy;
                    *dx += if *value > 0.0 { slope } else { 0.0 };
                }
            }
        }
    }

    /// One row of outputs in training. `chosen` holds random numbers, and then which place of the
    /// window was chosen by each: the number of cumulative sums that are not above a random level.
    fn sample(&self, image: &[f32], y: usize, output: &mut [f32], chosen: &mut [u32]) {
        let (mut levels, mut sums) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (x, (output, chosen)) in output.chunks_mut(self.channels).zip(chosen.chunks_mut(self.channels)).enumerate()
        {
            self.sums(image, y, x, &mut sums, &mut levels);
            for (((output, chosen), level), sum) in output.iter_mut().zip(&mut *chosen).zip(&mut levels).zip(&mut sums)
            {
                *level = unit(*chosen) * *sum;
                // 0 for a window of zeros; NaN for one with a value that is not finite.
                *output = *sum * 0.0;
                (*sum, *chosen) = (0.0, 0);
            }
            for place in self.places(y, x) {
                let values = &image[place..place + self.channels];
                let state = output.iter_mut().zip(&mut *chosen).zip(&levels).zip(&mut sums);
                for ((((output, chosen), level), sum), value) in state.zip(values) {
                    let before = *sum > *level;
                    *sum += positive(*value);
                    let after = *sum > *level;
                    *output = if after & !before { *value } else { *output };
                    *chosen += u32::from(!after);
                }
            }
        }
    }

    /// Adds the gradient of each output to the value that was chosen, if one was.
    fn scatter(&self, chosen: &[u32], y: usize, dy: &[f32], dx: &mut [f32]) {
        for (x, (chosen, dy)) in chosen.chunks(self.channels).zip(dy.chunks(self.channels)).enumerate() {
            for (k, place) in (0..).zip(self.places(y, x)) {
                let dx = &mut dx[place..place + self.channels];
                for ((dx, dy), chosen) in dx.iter_mut().zip(dy).zip(chosen) {
                    let sum = *dx + dy;
                    *dx = if *chosen == k { sum } else { *dx };
                }
            }
        }
    }
}

/// The value, or 0 if it is below. NaN stays, so that it is seen.
fn positive(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// The weighted mean of a window; 0 for a window of zeros.
fn mean(squares: f32, sum: f32) -> f32 {
    if sum == 0.0 { 0.0 } else { squares / sum }
}

#[cfg(test)]
mod tests;
