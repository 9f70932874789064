//! Batch normalization with the activation that follows it, in one pass over the values.

use super::super::{Activation, BatchStatistics, Cpu, EngineError, Normalization, Result, Tape, Tensor};
use super::buffer::{Backward, Flow, Slot};
use super::curve::{Curve, with_curve};
use super::split;
use super::wide::wide;

/// Splits of a sum over the batch.
const SPLITS: usize = 32;
/// Rows whose sum is kept in `f32` before it is added to one in `f64`.
const ROWS: usize = 64;

/// `(x - mean) * factor + shift`, per channel.
pub(super) struct Affine {
    pub(super) mean: Vec<f32>,
    /// `1 / sqrt(variance + eps)`
    inverse: Vec<f32>,
    /// `scale * inverse`
    pub(super) factor: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// Where the gradients of a batch normalization go, and which of its parts they need.
struct Recorded {
    activation: Option<Activation>,
    affine: Affine,
    /// Whether mean and variance are functions of the batch.
    by_batch: bool,
    x: Option<Tensor<Cpu>>,
    of_y: Slot,
    of_x: Option<Slot>,
    of_scale: Option<Slot>,
    of_shift: Option<Slot>,
}

/// See [`super::super::Kernels::batch_norm_inference`].
#[allow(clippy::too_many_arguments)]
pub fn batch_norm_inference(
    tape: &mut Tape<Cpu>,
    x: &Tensor<Cpu>,
    scale: &Tensor<Cpu>,
    shift: &Tensor<Cpu>,
    mean: &Tensor<Cpu>,
    variance: &Tensor<Cpu>,
    eps: f32,
    activation: Option<Activation>,
) -> Result<Tensor<Cpu>> {
    check(x, &[scale, shift, mean, variance])?;
    let affine = Affine::given(&Normalization { scale, shift, mean, variance, eps });
    normalize(tape, x, scale, shift, affine, activation, false)
}

/// See [`super::super::Kernels::batch_norm_training`].
pub fn batch_norm_training(
    tape: &mut Tape<Cpu>,
    x: &Tensor<Cpu>,
    scale: &Tensor<Cpu>,
    shift: &Tensor<Cpu>,
    eps: f32,
    activation: Option<Activation>,
) -> Result<(Tensor<Cpu>, BatchStatistics<Cpu>)> {
    check(x, &[scale, shift])?;
    let channels = scale.len();
    let moments = Moments::of(x.values(), channels);
    let mean: Vec<f32> = moments.mean.iter().map(|&mean| mean as f32).collect();
    let variance = moments.variance();
    let statistics = BatchStatistics {
        mean: Tensor::from_vec(x.device(), mean.clone(), &[channels])?,
        variance: Tensor::from_vec(x.device(), variance.iter().map(|&v| v as f32).collect(), &[channels])?,
        count: x.len() / channels.max(1),
    };
    let affine = Affine::new(mean, variance.into_iter(), scale.values(), shift.values(), eps);
    Ok((normalize(tape, x, scale, shift, affine, activation, true)?, statistics))
}

fn check(x: &Tensor<Cpu>, parameters: &[&Tensor<Cpu>]) -> Result<()> {
    let channels = x.dims().last().copied().unwrap_or(0);
    if channels > 0 && parameters.iter().all(|parameter| parameter.len() == channels) {
        return Ok(());
    }
    let shapes = std::iter::once(x).chain(parameters.iter().copied()).map(|t| t.dims().to_vec()).collect();
    Err(EngineError::Shapes { operation: "batch_norm", shapes })
}

fn normalize(
    tape: &mut Tape<Cpu>,
    x: &Tensor<Cpu>,
    scale: &Tensor<Cpu>,
    shift: &Tensor<Cpu>,
    affine: Affine,
    activation: Option<Activation>,
    by_batch: bool,
) -> Result<Tensor<Cpu>> {
    let y = Tensor::written(x.device(), x.dims(), |y| {
        with_curve!(activation, C => affine.apply::<C>(x.values(), y));
    })?;
    if !tape.records(&[x, scale, shift]) {
        return Ok(y);
    }
    // A frozen normalization without activation is linear in x: nothing of x is kept.
    let needs_x = activation.is_some() || by_batch || scale.wants_grad();
    let (y, of_y) = y.recorded();
    let recorded = Recorded {
        activation,
        affine,
        by_batch,
        x: needs_x.then(|| x.clone()),
        of_y,
        of_x: Slot::wanted(x),
        of_scale: Slot::wanted(scale),
        of_shift: Slot::wanted(shift),
    };
    tape.push(move |flow| with_curve!(recorded.activation, C => recorded.backward::<C>(flow)));
    Ok(y)
}

impl Affine {
    fn new(mean: Vec<f32>, variance: impl Iterator<Item = f64>, scale: &[f32], shift: &[f32], eps: f32) -> Self {
        let inverse: Vec<f32> = variance.map(|variance| (1.0 / (variance + f64::from(eps)).sqrt()) as f32).collect();
        let factor = scale.iter().zip(&inverse).map(|(scale, inverse)| scale * inverse).collect();
        Affine { mean, inverse, factor, shift: shift.to_vec() }
    }

    /// That of given statistics.
    pub(super) fn given(norm: &Normalization<Cpu>) -> Self {
        let variance = norm.variance.values().iter().map(|&variance| f64::from(variance));
        Affine::new(norm.mean.values().to_vec(), variance, norm.scale.values(), norm.shift.values(), norm.eps)
    }

    fn channels(&self) -> usize {
        self.mean.len()
    }

    fn apply<C: Curve>(&self, x: &[f32], y: &mut [f32]) {
        let channels = self.channels();
        let (mean, factor, shift) = (&self.mean[..channels], &self.factor[..channels], &self.shift[..channels]);
        split::rows(y, channels, |first, y| {
            let x = &x[first * channels..][..y.len()];
            wide!({
                for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                    apply::<C>(y, x, mean, factor, shift);
                }
            });
        });
    }
}

impl Recorded {
    fn backward<C: Curve>(&self, flow: &mut Flow) -> Backward<()> {
        let mut gy = self.of_y.take(flow)?;
        let channels = self.affine.channels();
        // Where nothing is kept of x, nothing depends on it.
        let x = self.x.as_ref().map(Tensor::values);
        let needs_sums = self.of_scale.is_some() || self.of_shift.is_some() || (self.by_batch && self.of_x.is_some());
        let sums = if needs_sums { self.sums::<C>(x.unwrap_or(&gy), &gy) } else { vec![0.0; 2 * channels] };
        let (of_g, of_gx) = sums.split_at(channels);
        for (slot, sums) in [(&self.of_shift, of_g), (&self.of_scale, of_gx)] {
            if let Some(slot) = slot {
                slot.add(flow, |g| g.iter_mut().zip(sums).for_each(|(sum, value)| *sum += *value as f32))?;
            }
        }
        let Some(slot) = &self.of_x else { return Ok(()) };
        match x {
            Some(x) => {
                let count = if self.by_batch { (gy.len() / channels) as f64 } else { f64::INFINITY };
                let mean_of = |sums: &[f64]| sums.iter().map(|sum| sum / count).collect::<Vec<_>>();
                self.input_gradient::<C>(x, &mut gy, &mean_of(of_g), &mean_of(of_gx));
            }
            None => self.scale_gradient(&mut gy),
        }
        slot.give(flow, gy)
    }

    /// Per channel, the sums of `g` and of `g * (x - mean) * inverse`, where `g` is the gradient
    /// before the activation.
    fn sums<C: Curve>(&self, x: &[f32], gy: &[f32]) -> Vec<f64> {
        let channels = self.affine.channels();
        let affine = &self.affine;
        let parts = split::map(gy.len() / channels, SPLITS, ROWS, |rows| {
            let mut total = vec![0.0_f64; 2 * channels];
            let mut sums = vec![0.0_f32; 2 * channels];
            for start in rows.clone().step_by(ROWS) {
                let values = start * channels..(start + ROWS).min(rows.end) * channels;
                let (x, gy) = (&x[values.clone()], &gy[values]);
                let (of_g, of_gx) = sums.split_at_mut(channels);
                wide!({
                    for (x, gy) in x.chunks_exact(channels).zip(gy.chunks_exact(channels)) {
                        add_to_sums::<C>(of_g, of_gx, x, gy, affine);
                    }
                });
                for (total, sum) in total.iter_mut().zip(&mut sums) {
                    *total += f64::from(std::mem::take(sum));
                }
            }
            total
        });
        split::total(parts)
    }

    /// Makes of the gradient to the output that to the input:
    /// `factor * (g - mean of g - normalized x * mean of (g * normalized x))`. The means are zero where the
    /// statistics are not the batch's.
    fn input_gradient<C: Curve>(&self, x: &[f32], g: &mut [f32], mean_g: &[f64], mean_gx: &[f64]) {
        let Affine { mean, inverse, factor, shift } = &self.affine;
        let constant: Vec<f32> = factor.iter().zip(mean_g).map(|(&f, mean)| (f64::from(f) * mean) as f32).collect();
        let of_factors = factor.iter().zip(inverse).map(|(&f, &inverse)| f64::from(f) * f64::from(inverse));
        let linear: Vec<f32> = of_factors.zip(mean_gx).map(|(f, mean)| (f * mean) as f32).collect();
        let channels = self.affine.channels();
        split::rows(g, channels, |first, g| {
            let x = &x[first * channels..][..g.len()];
            wide!({
                for (g, x) in g.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                    to_input::<C>(g, x, mean, factor, shift, &constant, &linear);
                }
            });
        });
    }

    /// The same where there is no activation and the statistics are given.
    fn scale_gradient(&self, g: &mut [f32]) {
        let (channels, factor) = (self.affine.channels(), &self.affine.factor);
        split::rows(g, channels, |_, g| {
            wide!(g.chunks_exact_mut(channels).for_each(|g| g.iter_mut().zip(factor).for_each(|(g, f)| *g *= f)));
        });
    }
}

/// A value without its mean, scaled and shifted: by the same arithmetic forward, backward, and in one pass with a
/// convolution.
#[inline(always)]
pub(super) fn scaled(centred: f32, factor: f32, shift: f32) -> f32 {
    centred * factor + shift
}

// What is an argument of a function of its own is known not to overlap, so that loops are vectorised.

/// One pixel of [`Affine::apply`].
#[inline(always)]
fn apply<C: Curve>(y: &mut [f32], x: &[f32], mean: &[f32], factor: &[f32], shift: &[f32]) {
    let count = y.len();
    let (x, mean, factor, shift) = (&x[..count], &mean[..count], &factor[..count], &shift[..count]);
    for c in 0..count {
        y[c] = C::value(scaled(x[c] - mean[c], factor[c], shift[c]));
    }
}

/// One pixel of [`Recorded::input_gradient`].
#[inline(always)]
fn to_input<C: Curve>(
    g: &mut [f32],
    x: &[f32],
    mean: &[f32],
    factor: &[f32],
    shift: &[f32],
    constant: &[f32],
    linear: &[f32],
) {
    let count = g.len();
    let (x, mean, factor, shift) = (&x[..count], &mean[..count], &factor[..count], &shift[..count]);
    let (constant, linear) = (&constant[..count], &linear[..count]);
    for c in 0..count {
        let centred = x[c] - mean[c];
        let slope = C::slope(scaled(centred, factor[c], shift[c]));
        g[c] = factor[c] * (g[c] * slope) - (constant[c] + centred * linear[c]);
    }
}

/// One pixel of [`Recorded::sums`].
#[inline(always)]
fn add_to_sums<C: Curve>(of_g: &mut [f32], of_gx: &mut [f32], x: &[f32], gy: &[f32], affine: &Affine) {
    let count = of_g.len();
    let Affine { mean, inverse, factor, shift } = affine;
    let (x, gy, of_gx) = (&x[..count], &gy[..count], &mut of_gx[..count]);
    let (mean, inverse, factor, shift) = (&mean[..count], &inverse[..count], &factor[..count], &shift[..count]);
    for c in 0..count {
        let centred = x[c] - mean[c];
        let g = gy[c] * C::slope(scaled(centred, factor[c], shift[c]));
        of_g[c] += g;
        of_gx[c] += g * (centred * inverse[c]);
    }
}

/// The mean of each channel.
fn means(x: &[f32], channels: usize) -> Vec<f32> {
    let mut means = vec![0.0; channels];
    wide!({
        for x in x.chunks_exact(channels) {
            means.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        }
    });
    let count = (x.len() / channels) as f32;
    for sum in &mut means {
        *sum /= count;
    }
    means
}

/// Adds one pixel's differences from `near`, and their squares.
#[inline(always)]
fn add_differences(sums: &mut [f32], squares: &mut [f32], x: &[f32], near: &[f32]) {
    let count = sums.len();
    let (squares, x, near) = (&mut squares[..count], &x[..count], &near[..count]);
    for c in 0..count {
        let difference = x[c] - near[c];
        sums[c] += difference;
        squares[c] += difference * difference;
    }
}

/// Count, mean and sum of squared differences from the mean, per channel.
struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// The moments of (rows, channels). Differences are taken from a mean of some rows that are near, a few
    /// rows at a time, and the parts are joined in `f64` (Chan, Golub and `LeVeque` 1979), so that a mean much
    /// larger than the deviation loses nothing.
    fn of(x: &[f32], channels: usize) -> Self {
        let parts = split::map(x.len() / channels, SPLITS, ROWS, |rows| {
            let mut moments = Moments::none(channels);
            let first = &x[rows.start * channels..(rows.start + ROWS).min(rows.end) * channels];
            let mut near = means(first, channels);
            let (mut sums, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
            for start in rows.clone().step_by(ROWS) {
                let few = &x[start * channels..(start + ROWS).min(rows.end) * channels];
                wide!({
                    for x in few.chunks_exact(channels) {
                        add_differences(&mut sums, &mut squares, x, &near);
                    }
                });
                moments.join_differences((few.len() / channels) as f64, &near, &mut sums, &mut squares);
                near.iter_mut().zip(&moments.mean).for_each(|(near, &mean)| *near = mean as f32);
            }
            moments
        });
        parts.iter().fold(Moments::none(channels), |mut all, part| {
            all.join(part);
            all
        })
    }

    fn none(channels: usize) -> Self {
        Moments { count: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Joins the moments of `count` rows, given by the sums of their differences from `near` and of the squares
    /// of these; leaves zeros there.
    fn join_differences(&mut self, count: f64, near: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        let total = self.count + count;
        let (share, weight) = (count / total, self.count * count / total);
        let own = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, own), ((near, sum), square)) in own.zip(near.iter().zip(sums).zip(squares)) {
            let off = f64::from(std::mem::take(sum)) / count;
            let difference = f64::from(*near) + off - *mean;
            *mean += difference * share;
            let within = f64::from(std::mem::take(square)) - count * off * off;
            *own += within + difference * difference * weight;
        }
        self.count = total;
    }

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

    fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| (squares / self.count).max(0.0)).collect()
    }
}
