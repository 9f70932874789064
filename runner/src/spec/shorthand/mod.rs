//! Shorthand for schedules: each is a form of `schedule` that is written out as phases. One a file.
//!
//! Writing out is a pure function of the shorthand and of the net's stages that have parameters, from
//! the image to the output. The last of them is called the head.

pub mod fine_tune;
pub mod freeze_to;
pub mod frozen_stages;
pub mod gradual_unfreeze;
pub mod layerwise;
pub mod linear_probe_then_fine_tune;
pub mod progressive_freezing;
pub mod unfreeze_at;

#[cfg(test)]
pub mod testing;

pub use fine_tune::FineTune;
pub use freeze_to::FreezeTo;
pub use frozen_stages::FrozenStages;
pub use gradual_unfreeze::GradualUnfreeze;
pub use layerwise::Layerwise;
pub use linear_probe_then_fine_tune::LinearProbeThenFineTune;
pub use progressive_freezing::ProgressiveFreezing;
pub use unfreeze_at::UnfreezeAt;

use super::LearningRate;

/// `epochs` and `lr` of the schedule, for the shorthands that have none of their own.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// Epochs of all phases together.
    pub epochs: usize,
    /// Learning rates.
    pub lr: &'a LearningRate,
}

/// Names as a phase lists them.
fn names(stages: &[&str]) -> Vec<String> {
    stages.iter().map(|&stage| stage.to_owned()).collect()
}
