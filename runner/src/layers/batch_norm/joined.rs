//! Batch normalization of a batch whose rows are shared between ranks: by the statistics of the whole batch.
//!
//! Forward the moments of the shares are joined, backward the sums that the gradient of the input takes. What it
//! gives is that of the batch in one process, within rounding.

use crate::engine::{EngineError, Foreign, ForeignBackward, ForeignForward, View};
use crate::layers::LayerError;
use crate::ranks::{RankFault, Ranks};
use rayon::prelude::*;
use std::sync::OnceLock;

/// Rows that one thread takes at a time.
const ROWS: usize = 512;

/// What was found in a batch.
#[derive(Debug)]
pub struct Found {
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// The biased variance of each channel.
    pub variance: Vec<f32>,
    /// Values a channel, over all ranks.
    pub count: usize,
    /// `1 / sqrt(variance + eps)`
    inverse: Vec<f32>,
}

/// One pass of a batch through one layer. The inputs are x, the parameters scale and shift.
#[derive(Debug)]
pub struct Joined {
    ranks: Ranks,
    eps: f64,
    found: OnceLock<Found>,
}

impl Joined {
    /// Over the shares of these ranks.
    pub fn new(ranks: &Ranks, eps: f64) -> Self {
        Joined { ranks: ranks.clone(), eps, found: OnceLock::new() }
    }

    /// What the forward pass found.
    pub fn found(&self) -> Result<&Found, LayerError> {
        self.found.get().ok_or_else(|| LayerError::Shape("no statistics were taken".into()))
    }
}

impl Foreign for Joined {
    fn forward(&self, call: ForeignForward<'_>) -> Result<(), EngineError> {
        let x = values(call.inputs.first())?;
        let (scale, shift) = (values(call.params.first())?, values(call.params.get(1))?);
        let channels = scale.len();
        let moments = self.whole(&Moments::of(x, channels)).map_err(|fault| failed(&fault))?;
        let variance: Vec<f64> = moments.squares.iter().map(|square| (square / moments.count).max(0.0)).collect();
        let found = Found {
            mean: moments.mean.iter().map(|&mean| mean as f32).collect(),
            inverse: variance.iter().map(|variance| (1.0 / (variance + self.eps).sqrt()) as f32).collect(),
            variance: variance.iter().map(|&variance| variance as f32).collect(),
            count: moments.count as usize,
        };
        let found = self.found.get_or_init(|| found);
        let rows = call.output.values.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels));
        rows.for_each(|(y, x)| {
            for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                for c in 0..channels {
                    y[c] = (x[c] - found.mean[c]) * (scale[c] * found.inverse[c]) + shift[c];
                }
            }
        });
        Ok(())
    }

    fn backward(&self, call: ForeignBackward<'_>) -> Result<(), EngineError> {
        let ForeignBackward { inputs, params, output_gradient, input_gradients, param_gradients, .. } = call;
        let (x, g, scale) = (values(inputs.first())?, values(Some(&output_gradient))?, values(params.first())?);
        let found = self.found.get().ok_or_else(|| EngineError::Foreign("backward came before forward".into()))?;
        let channels = scale.len();
        let mut sums = sums(x, g, found);
        // The gradients of parameters are summed over the ranks with those of all other layers.
        let (of_g, of_gx) = sums.split_at(channels);
        for (gradient, sums) in param_gradients.into_iter().zip([of_gx, of_g]) {
            if let Some(gradient) = gradient {
                gradient.values.iter_mut().zip(sums).for_each(|(sum, value)| *sum += *value as f32);
            }
        }
        let Some(gradient) = input_gradients.into_iter().flatten().next() else { return Ok(()) };
        self.ranks.sum(&mut sums).map_err(|fault| failed(&fault))?;
        let means: Vec<f32> = sums.iter().map(|sum| (sum / found.count as f64) as f32).collect();
        let (of_g, of_gx) = means.split_at(channels);
        let rows = x.par_chunks(ROWS * channels).zip(g.par_chunks(ROWS * channels));
        gradient.values.par_chunks_mut(ROWS * channels).zip(rows).for_each(|(gradient, (x, g))| {
            let rows = x.chunks_exact(channels).zip(g.chunks_exact(channels));
            for (gradient, (x, g)) in gradient.chunks_exact_mut(channels).zip(rows) {
                for c in 0..channels {
                    let normalized = (x[c] - found.mean[c]) * found.inverse[c];
                    gradient[c] += scale[c] * found.inverse[c] * (g[c] - of_g[c] - normalized * of_gx[c]);
                }
            }
        });
        Ok(())
    }

    fn keeps_output(&self) -> bool {
        false
    }
}

impl Joined {
    /// The moments of all ranks together, joined in their order.
    fn whole(&self, own: &Moments) -> Result<Moments, RankFault> {
        let channels = own.mean.len();
        let bytes: Vec<f64> = [own.count].into_iter().chain(own.mean.iter().chain(&own.squares).copied()).collect();
        let mut whole = Moments::none(channels);
        for bytes in self.ranks.gather(bytemuck::cast_slice(&bytes))? {
            let values: Vec<f64> = bytemuck::pod_collect_to_vec(&bytes);
            if values.len() != 1 + 2 * channels {
                return Err(RankFault::message(&"another number of channels"));
            }
            let (mean, squares) = values[1..].split_at(channels);
            whole.join(&Moments { count: values[0], mean: mean.to_vec(), squares: squares.to_vec() });
        }
        Ok(whole)
    }
}

fn values<'a>(view: Option<&View<'a>>) -> Result<&'a [f32], EngineError> {
    view.and_then(|view| view.values).ok_or_else(|| EngineError::Foreign("batch norm lacks an operand".into()))
}

fn failed(fault: &RankFault) -> EngineError {
    EngineError::Foreign(fault.to_string())
}

/// Per channel, the sums of `g` and of `g` times the normalized x.
fn sums(x: &[f32], g: &[f32], found: &Found) -> Vec<f64> {
    let channels = found.mean.len();
    let parts: Vec<Vec<f64>> = x
        .par_chunks(ROWS * channels)
        .zip(g.par_chunks(ROWS * channels))
        .map(|(x, g)| {
            let mut sums = vec![0.0; 2 * channels];
            let (of_g, of_gx) = sums.split_at_mut(channels);
            for (x, g) in x.chunks_exact(channels).zip(g.chunks_exact(channels)) {
                for c in 0..channels {
                    of_g[c] += f64::from(g[c]);
                    of_gx[c] += f64::from(g[c] * ((x[c] - found.mean[c]) * found.inverse[c]));
                }
            }
            sums
        })
        .collect();
    parts.iter().fold(vec![0.0; 2 * channels], |mut total, part| {
        total.iter_mut().zip(part).for_each(|(total, sum)| *total += sum);
        total
    })
}

/// Count, mean and sum of squared differences from the mean, per channel.
struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn none(channels: usize) -> Self {
        Moments { count: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// The moments of (rows, channels).
    fn of(x: &[f32], channels: usize) -> Self {
        let parts: Vec<Moments> = x.par_chunks(ROWS * channels).map(|x| Self::of_some(x, channels)).collect();
        parts.iter().fold(Self::none(channels), |mut all, part| {
            all.join(part);
            all
        })
    }

    fn of_some(x: &[f32], channels: usize) -> Self {
        let mut moments = Self::none(channels);
        moments.count = (x.len() / channels) as f64;
        for x in x.chunks_exact(channels) {
            moments.mean.iter_mut().zip(x).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        moments.mean.iter_mut().for_each(|sum| *sum /= moments.count);
        for x in x.chunks_exact(channels) {
            for ((squares, mean), &x) in moments.squares.iter_mut().zip(&moments.mean).zip(x) {
                *squares += (f64::from(x) - mean).powi(2);
            }
        }
        moments
    }

    /// Joins those of other rows (Chan, Golub and `LeVeque` 1979).
    fn join(&mut self, other: &Moments) {
        let count = self.count + other.count;
        let share = other.count / count;
        let own = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, squares), (other_mean, other_squares)) in own.zip(other.mean.iter().zip(&other.squares)) {
            let difference = other_mean - *mean;
            *mean += difference * share;
            *squares += other_squares + difference * difference * self.count * share;
        }
        self.count = count;
    }
}
