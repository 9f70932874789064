//! How learning rates change over the steps of a phase: one scheduler a file.
//!
//! A scheduler gives a factor for a phase's learning rates. It is a pure function of the clock, and of
//! what the epochs of the phase came to: nothing is carried from step to step, so that a run that is
//! resumed finds the rate it would have had.

pub mod clock;
pub mod constant;
pub mod cosine;
pub mod exponential;
pub mod one_cycle;
pub mod polynomial;
pub mod reduce_on_plateau;
pub mod rewarm;
pub mod step;
pub mod warm_up;

#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use constant::Constant;
pub use cosine::Cosine;
pub use exponential::Exponential;
pub use one_cycle::OneCycle;
pub use polynomial::Polynomial;
pub use reduce_on_plateau::ReduceOnPlateau;
pub use rewarm::Rewarm;
pub use step::StepDecay;
pub use warm_up::WarmUp;

use crate::regularize::History;
use crate::spec::named::{self, Named};
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// How the learning rates of a phase change over its steps.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheduler {
    /// They stay as they are.
    Constant(Constant),
    /// They fall by a factor every few epochs.
    Step(StepDecay),
    /// They fall along half a cosine.
    Cosine(Cosine),
    /// They rise, then fall.
    OneCycle(OneCycle),
    /// They fall by the same factor in every epoch, smoothly.
    Exponential(Exponential),
    /// They fall along a power of what is left.
    Polynomial(Polynomial),
    /// They fall when a metric no longer gets better.
    ReduceOnPlateau(ReduceOnPlateau),
}

impl Default for Scheduler {
    fn default() -> Self {
        Scheduler::Constant(Constant {})
    }
}

impl Named for Scheduler {
    const WHAT: &'static str = "scheduler";
    const NAMES: &'static [&'static str] =
        &["constant", "step", "cosine", "one_cycle", "exponential", "polynomial", "reduce_on_plateau"];

    fn read<'de, D: Deserializer<'de>>(name: &str, arguments: D) -> Result<Self, D::Error> {
        match name {
            "constant" => Constant::deserialize(arguments).map(Scheduler::Constant),
            "step" => StepDecay::deserialize(arguments).map(Scheduler::Step),
            "cosine" => Cosine::deserialize(arguments).map(Scheduler::Cosine),
            "one_cycle" => OneCycle::deserialize(arguments).map(Scheduler::OneCycle),
            "exponential" => Exponential::deserialize(arguments).map(Scheduler::Exponential),
            "polynomial" => Polynomial::deserialize(arguments).map(Scheduler::Polynomial),
            "reduce_on_plateau" => ReduceOnPlateau::deserialize(arguments).map(Scheduler::ReduceOnPlateau),
            _ => Err(serde::de::Error::unknown_variant(name, Self::NAMES)),
        }
    }
}

impl<'de> Deserialize<'de> for Scheduler {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named::deserialize(deserializer)
    }
}

impl Scheduler {
    /// Notes every argument that is out of range. `at` is where the scheduler stands in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        match self {
            Scheduler::Constant(_) => {}
            Scheduler::Step(step) => step.check(&at.key("step"), problems),
            Scheduler::Cosine(cosine) => cosine.check(&at.key("cosine"), problems),
            Scheduler::OneCycle(cycle) => cycle.check(&at.key("one_cycle"), problems),
            Scheduler::Exponential(exponential) => exponential.check(&at.key("exponential"), problems),
            Scheduler::Polynomial(polynomial) => polynomial.check(&at.key("polynomial"), problems),
            Scheduler::ReduceOnPlateau(plateau) => plateau.check(&at.key("reduce_on_plateau"), problems),
        }
    }

    /// What the learning rates are multiplied by in a step. `history` has the epochs of the phase that
    /// are done.
    pub fn factor(&self, clock: Clock, history: &History) -> f64 {
        match self {
            Scheduler::Constant(_) => 1.0,
            Scheduler::Step(step) => step.factor(clock),
            Scheduler::Cosine(cosine) => cosine.factor(clock),
            Scheduler::OneCycle(cycle) => cycle.factor(clock),
            Scheduler::Exponential(exponential) => exponential.factor(clock),
            Scheduler::Polynomial(polynomial) => polynomial.factor(clock),
            Scheduler::ReduceOnPlateau(plateau) => plateau.factor(history),
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scheduler::Constant(_) => f.write_str("constant"),
            Scheduler::Step(step) => step.fmt(f),
            Scheduler::Cosine(cosine) => cosine.fmt(f),
            Scheduler::OneCycle(cycle) => cycle.fmt(f),
            Scheduler::Exponential(exponential) => exponential.fmt(f),
            Scheduler::Polynomial(polynomial) => polynomial.fmt(f),
            Scheduler::ReduceOnPlateau(plateau) => plateau.fmt(f),
        }
    }
}

/// What a phase's learning rates are multiplied by in a step: those of the warm-up first, then the
/// scheduler's over the steps that are left.
///
/// The metric of a plateau is watched from the phase's first epoch on, warm-up included.
pub fn factor(scheduler: &Scheduler, warm_up: Option<&WarmUp>, clock: Clock, history: &History) -> f64 {
    let Some(warm_up) = warm_up else { return scheduler.factor(clock, history) };
    let length = warm_up.length(clock.steps_per_epoch).min(clock.steps);
    if clock.step < length {
        return warm_up.factor(clock.step, length);
    }
    let rest = Clock { step: clock.step - length, steps: clock.steps - length, ..clock };
    scheduler.factor(rest, history)
}
