//! How near our numbers must come to torch's.

use crate::file::Training;

/// Logits in evaluation, absolute.
const LOGITS: f32 = 1e-3;

/// On a GPU they may be off by this part of the largest instead, where that is more: sums are taken in another order there,
/// and some nets of the golden files give logits of a thousand.
const LOGITS_OF_LARGEST: f32 = if cfg!(feature = "cuda") { 4e-6 } else { 0.0 };

/// Losses, relative.
const LOSSES: f32 = 1e-2;

/// Logits after training, as a part of the largest.
const LOGITS_AFTER: f32 = 1e-2;

/// How many times further apart two implementations may be than one is from itself when its images
/// change in their last bit.
///
/// Some golden trainings are decided by rounding: the images are so alike that batch norm divides
/// by next to nothing, and torch itself, in float64 or with channels last, is further from its own
/// golden losses than [`LOSSES`]. Nothing can come nearer than that.
const SPREADS: f32 = 10.0;

/// How far a training's results move when its images change in their last bit.
#[derive(Debug)]
pub struct Spread {
    /// Of the loss before each step, relative.
    losses: Vec<f32>,
    /// Of the logits after the last step, as a part of the largest.
    logits: f32,
}

impl Spread {
    /// The largest differences of the `shaken` trainings from the `exact` one. A step starts from
    /// what the steps before it left, so rounding decides it no less than them: the spread of the
    /// losses never falls, however near a few shaken trainings happen to come at a later step.
    pub fn of(exact: &Training, shaken: &[Training]) -> Self {
        let largest = |of: &dyn Fn(&Training) -> f32| shaken.iter().map(of).fold(0.0, f32::max);
        let loss = |step: usize| largest(&|one| relative(one.losses[step], exact.losses[step]));
        Spread {
            losses: (0..exact.losses.len()).map(loss).scan(0.0, |most, now| Some(rising(most, now))).collect(),
            logits: largest(&|one| of_largest(&one.eval_logits_after, &exact.eval_logits_after)),
        }
    }

    /// None: for trainings that are known to be the same in float64.
    pub fn none(steps: usize) -> Self {
        Spread { losses: vec![0.0; steps], logits: 0.0 }
    }
}

/// Holds logits in evaluation against torch's.
pub fn logits(what: &str, ours: &[Vec<f32>], torch: &[Vec<f32>]) {
    let difference = largest_difference(ours, torch);
    eprintln!("{what}: largest difference {difference:.1e}");
    let largest = torch.iter().flatten().fold(0.0_f32, |most, logit| most.max(logit.abs()));
    assert!(
        difference <= LOGITS.max(LOGITS_OF_LARGEST * largest),
        "{what}: off by {difference}\nours  {ours:?}\ntorch {torch:?}"
    );
}

/// Holds a training against torch's.
pub fn training(what: &str, ours: &Training, torch: &Training, spread: &Spread) {
    assert_eq!(ours.losses.len(), torch.losses.len(), "{what}");
    for (step, (&one, &other)) in ours.losses.iter().zip(&torch.losses).enumerate() {
        within(&format!("{what}: loss {step}"), relative(one, other), LOSSES, spread.losses[step]);
    }
    let difference = of_largest(&ours.eval_logits_after, &torch.eval_logits_after);
    within(&format!("{what}: logits after"), difference, LOGITS_AFTER, spread.logits);
}

/// Where rounding alone moves a result by a tenth of itself or more, it only has to be a number.
fn within(what: &str, difference: f32, tolerance: f32, spread: f32) {
    let rounding = spread * SPREADS;
    if rounding > 1.0 {
        eprintln!("{what}: off by {difference:.1e}; rounding alone decides it");
        assert!(difference.is_finite(), "{what}: not a number");
        return;
    }
    if rounding > tolerance {
        eprintln!("{what}: off by {difference:.1e}; rounding lets {rounding:.1e} pass, not {tolerance:.0e}");
    } else {
        eprintln!("{what}: off by {difference:.1e}");
    }
    assert!(difference <= tolerance.max(rounding), "{what}: off by {difference}");
}

/// The largest so far.
fn rising(most: &mut f32, now: f32) -> f32 {
    *most = most.max(now);
    *most
}

fn relative(ours: f32, torch: f32) -> f32 {
    (ours - torch).abs() / torch.abs()
}

fn of_largest(ours: &[Vec<f32>], torch: &[Vec<f32>]) -> f32 {
    largest_difference(ours, torch) / torch.iter().flatten().fold(0.0_f32, |largest, value| largest.max(value.abs()))
}

/// NaN where ours have one, so that no comparison passes.
fn largest_difference(ours: &[Vec<f32>], torch: &[Vec<f32>]) -> f32 {
    let dims = |rows: &[Vec<f32>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(dims(ours), dims(torch), "logits of another shape");
    ours.iter().flatten().zip(torch.iter().flatten()).fold(0.0, |largest, (ours, torch)| {
        let difference = (ours - torch).abs();
        if difference > largest || difference.is_nan() { difference } else { largest }
    })
}
