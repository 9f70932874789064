//! The learning-rate range test (Smith 2017, "Cyclical learning rates for training neural networks").

use super::optimizer::State;
use super::penalties::Penalties;
use super::step::{StepContext, step};
use super::{StopFlag, TrainError, files, mix, sampling};
use crate::data::{Dataset, Loader};
use crate::engine::Kernels;
use crate::net::Net;
use crate::plan::{PhasePlan, Plan};
use crate::random::{Key, Purpose};
use crate::regularize::LossTargets;
use serde::Serialize;

/// The rates to try: from one to the other by equal factors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The first and least.
    pub from: f64,
    /// The last and greatest.
    pub to: f64,
    /// How many, one a step; at least 2.
    pub steps: usize,
}

impl Range {
    /// The rate of a step, from 0.
    pub fn rate(&self, step: usize) -> f64 {
        let share = step as f64 / (self.steps.max(2) - 1) as f64;
        self.from * (self.to / self.from).powf(share)
    }
}

/// A step of the test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The rate of the group that learns fastest.
    pub lr: f64,
    /// The batch's loss before the step.
    pub loss: f64,
    /// The running mean of the losses so far.
    pub smoothed: f64,
}

/// Why a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All rates were tried.
    Range,
    /// The loss became four times its least.
    Diverged,
    /// The loss became infinite or no number.
    NotFinite,
    /// It was interrupted.
    Interrupted,
}

/// What became of the loss.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// The steps, by rising rate.
    pub points: Vec<Point>,
    /// Why it ended.
    pub end: End,
}

/// Weight of the past in the running mean, as fastai's.
const MEMORY: f64 = 0.98;

/// The loss is lost above so many times its least, as fastai's.
const DIVERGED: f64 = 4.0;

/// A running mean that is not drawn towards its beginning.
#[derive(Debug, Default)]
struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    fn push(&mut self, value: f64) -> f64 {
        self.sum = MEMORY * self.sum + (1.0 - MEMORY) * value;
        self.weight = MEMORY * self.weight + (1.0 - MEMORY);
        self.sum / self.weight
    }
}

/// What is tried.
pub struct Trial<'a> {
    /// The pipeline.
    pub plan: &'a Plan,
    /// What trains.
    pub phase: &'a PhasePlan,
    /// Reads the training images.
    pub loader: &'a Loader,
    /// The data whose training samples are drawn.
    pub data: &'a Dataset,
    /// Makes the loss's targets.
    pub targets: &'a LossTargets,
    /// Told by Ctrl-C.
    pub stop: &'a StopFlag,
}

/// Trains `net` through one step a rate, the rates of the groups in the proportions that the phase gives
/// them. `each` is told how many steps are done. The net is of no use afterwards.
pub fn find<D: Kernels>(
    device: &D,
    mut net: Net<D>,
    trial: &Trial<'_>,
    range: Range,
    mut each: impl FnMut(usize),
) -> Result<Curve, TrainError> {
    let Trial { plan, phase, loader, data, targets, stop } = *trial;
    let penalties = Penalties::new(plan, &net);
    net.graph.leave_by(phase.exit);
    net.params.want_grads(&phase.trainable(net.graph.params.len()));
    let mut optimizer = State::new(plan.spec.schedule.optimizer.clone());
    optimizer.begin(phase);
    let top = phase.groups.iter().map(|group| group.lr).fold(f64::MIN_POSITIVE, f64::max);
    let mut smoothed = Smoothed::default();
    let mut curve = Curve { points: Vec::with_capacity(range.steps), end: End::Range };
    let mut least = f64::INFINITY;
    for epoch in 1.. {
        let drawn = sampling::drawn(data, &plan.spec, epoch);
        let order = files::epoch_order(&drawn, plan.spec.seed, epoch, plan.spec.data.batch);
        let context = StepContext {
            device,
            phase,
            regularization: &plan.spec.regularization,
            targets,
            penalties: &penalties,
            key: Key::new(plan.spec.seed, Purpose::Layer).with(epoch),
            shared: None,
        };
        for (place, batch) in loader.training(&order, plan.spec.data.batch, epoch).enumerate() {
            let batch = mix::vary(device, &net, (plan, phase), batch?, epoch, place as u64)?;
            let lr = range.rate(curve.points.len());
            let number = curve.points.len() as u64;
            let loss = f64::from(step(&context, &mut net, &mut optimizer, &batch, lr / top, number)?.loss);
            let end = if loss.is_finite() {
                let smoothed = smoothed.push(loss);
                curve.points.push(Point { lr, loss, smoothed });
                each(curve.points.len());
                least = least.min(smoothed);
                match () {
                    () if smoothed > DIVERGED * least => Some(End::Diverged),
                    () if curve.points.len() >= range.steps => Some(End::Range),
                    () if stop.is_raised() => Some(End::Interrupted),
                    () => None,
                }
            } else {
                Some(End::NotFinite)
            };
            if let Some(end) = end {
                curve.end = end;
                return Ok(curve);
            }
        }
        if order.is_empty() {
            break;
        }
    }
    Ok(curve)
}

/// Rates that a curve suggests, each by a rule of its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Suggestion {
    /// Half-way down the longest fall of the loss; fastai's default (`valley`).
    pub valley: f64,
    /// Where the loss falls most steeply over the logarithm of the rate; fastai's `steep`, Lightning's.
    pub steepest: f64,
    /// A tenth of the rate with the least loss; fastai's `minimum`.
    pub minimum: f64,
}

impl Curve {
    /// What it suggests; `None` where the loss never falls or there are too few steps. Its first tenth and
    /// its last five steps are left out.
    pub fn suggestion(&self) -> Option<Suggestion> {
        // As fastai: the running mean has to settle first, and the last losses may be lost ones.
        let last = self.points.len().saturating_sub(5);
        let points = self.points.get(self.points.len() / 10..last).filter(|points| points.len() >= 5)?;
        let (start, end) = longest_fall(points)?;
        let third = (end - start) as f64 / 3.0;
        let valley = points[start + third as usize + (third / 2.0) as usize].lr;
        let slope = |pair: &[Point]| (pair[1].smoothed - pair[0].smoothed) / (pair[1].lr / pair[0].lr).ln();
        let steepest = points.windows(2).min_by(|a, b| slope(a).total_cmp(&slope(b)))?[0].lr;
        let minimum = points.iter().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed))?.lr / 10.0;
        Some(Suggestion { valley, steepest, minimum })
    }
}

/// The first and last place of the longest falling subsequence of the smoothed losses.
fn longest_fall(points: &[Point]) -> Option<(usize, usize)> {
    // The length of the longest one that ends at each place, and the place before in it.
    let mut best: Vec<(usize, usize)> = Vec::with_capacity(points.len());
    for (place, point) in points.iter().enumerate() {
        let above = (0..place).filter(|&before| points[before].smoothed > point.smoothed);
        // Of several, the first.
        let before = above.rev().max_by_key(|&before| best[before].0);
        best.push(before.map_or((1, place), |before| (best[before].0 + 1, before)));
    }
    let end = (0..points.len()).rev().max_by_key(|&place| best[place].0)?;
    let mut start = end;
    while best[start].1 != start {
        start = best[start].1;
    }
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { from: 1e-6, to: 10.0, steps: 71 };

    fn curve(loss: impl Fn(f64) -> f64) -> Curve {
        let points = (0..RANGE.steps).map(|step| {
            let lr = RANGE.rate(step);
            Point { lr, loss: loss(lr), smoothed: loss(lr) }
        });
        Curve { points: points.collect(), end: End::Range }
    }

    #[test]
    fn rates_rise_by_equal_factors() {
        assert!((RANGE.rate(0) - 1e-6).abs() < 1e-18 && (RANGE.rate(70) - 10.0).abs() < 1e-9);
        for step in 1..70 {
            assert!((RANGE.rate(step) / RANGE.rate(step - 1) - 10.0_f64.powf(0.1)).abs() < 1e-9);
        }
    }

    #[test]
    fn each_rule_finds_its_place() {
        // Flat at 2, falling from 1e-4 to 1e-2 down to 1, steepest at 1e-3, rising again from 1e-1.
        let suggestion = curve(|lr| {
            let x = lr.log10();
            let fall = 1.0 / (1.0 + (4.0 * (x + 3.0)).exp());
            1.0 + fall + if x > -1.0 { (x + 1.0).powi(2) } else { 0.0 }
        })
        .suggestion()
        .unwrap();
        assert!((suggestion.steepest.log10() + 3.0).abs() < 0.15, "{suggestion:?}");
        assert!((suggestion.minimum.log10() + 2.0).abs() < 0.35, "{suggestion:?}");
        // The fall is from 10^-5.3, a tenth being left out, to 1e-1; the middle of its second third is its own.
        assert!((suggestion.valley.log10() + 3.15).abs() < 0.2, "{suggestion:?}");
    }

    #[test]
    fn a_loss_that_never_falls_suggests_nothing() {
        assert_eq!(curve(|lr| 1.0 + lr).suggestion(), None);
        assert_eq!(Curve { points: vec![], end: End::NotFinite }.suggestion(), None);
    }

    #[test]
    fn the_running_mean_of_equal_losses_is_that_loss() {
        let mut smoothed = Smoothed::default();
        for _ in 0..5 {
            assert!((smoothed.push(3.0) - 3.0).abs() < 1e-12);
        }
        assert!(smoothed.push(4.0) > 3.0 && smoothed.push(4.0) < 4.0);
    }
}
