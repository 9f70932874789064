//! Where a run is: all that going on needs besides tensors.

use super::average::{AverageState, Whose};
use super::exact;
use super::summary::Trained;
use crate::optim::Optimizer;
use crate::regularize::{History, Watch};
use serde::{Deserialize, Serialize};

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The phase's place.
    pub phase: usize,
    /// Epochs done in it.
    pub epoch_in_phase: usize,
    /// Steps done in it: the scheduler's clock.
    pub step_in_phase: u64,
    /// Epochs done in all.
    pub epoch: usize,
    /// Steps done in all.
    pub step: u64,
    /// Steps done in the epoch that goes on.
    pub step_in_epoch: usize,
}

/// What comes next in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Stage {
    /// The head is fitted.
    Fit,
    /// The phase at the position begins.
    PhaseBegins,
    /// An epoch of it begins or goes on.
    Epoch,
    /// It ends.
    PhaseEnds {
        /// Why.
        reason: String,
        /// Whether the whole run ends with it, by early stopping.
        and_run: bool,
    },
    /// All training is done: averages are finished.
    Ending {
        /// Why.
        reason: String,
    },
    /// The best weights are restored.
    Restoring {
        /// Why the run ends.
        reason: String,
    },
    /// The best weights are tested and the results written.
    Testing {
        /// Why the run ends.
        reason: String,
    },
    /// Nothing is left to do.
    Done,
}

impl Stage {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Stage::Fit => "fit",
            Stage::PhaseBegins => "phase_begins",
            Stage::Epoch => "epoch",
            Stage::PhaseEnds { .. } => "phase_ends",
            Stage::Ending { .. } => "ending",
            Stage::Restoring { .. } => "restoring",
            Stage::Testing { .. } => "testing",
            Stage::Done => "done",
        }
    }
}

/// What has come of the phase that goes on, besides tensors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseState {
    /// The metrics of its epochs.
    pub history: History,
    /// The number of its first epoch.
    pub first: usize,
    /// What was seen of the metric by which its best weights are chosen.
    pub watch: Watch,
    /// The epoch of its best weights, where it restores them.
    pub best: Option<usize>,
    /// Hash over all frozen tensors at its start.
    pub frozen_hash: String,
}

/// What has come of the epoch that goes on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochState {
    /// Sums over its steps.
    pub sums: Trained,
    /// Norm of the gradient by group in its last step.
    #[serde(with = "exact::list")]
    pub last_norms: Vec<f64>,
}

/// Files that are written after the checkpoint, of what is in it: a run that was killed before it could
/// writes them when it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owed {
    /// The best weights of the run: the value of the watched metric, and whose weights had it.
    pub best: Option<(f64, Whose)>,
    /// The best weights of the phase.
    pub best_of_phase: bool,
}

/// Where a run is: with the tensors of a checkpoint, all that going on needs. What trains is not in it:
/// that is a function of the plan and the position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// What comes next.
    pub stage: Stage,
    /// Of the epoch that goes on.
    pub epoch: EpochState,
    /// Of the phase that goes on.
    pub phase: PhaseState,
    /// What was seen of the metric that early stopping watches.
    pub watch: Watch,
    /// The epoch of the best weights.
    pub best: Option<usize>,
    /// Whose weights the best are.
    pub best_whose: Whose,
    /// What is known of the average of the weights, whose tensors are in the checkpoint.
    pub average: Option<AverageState>,
    /// Files that come after the checkpoint.
    pub owed: Owed,
    /// Bytes of `events.jsonl` before the checkpoint was written: what comes after happens again.
    pub events: u64,
    /// Seconds that the run has taken so far.
    pub seconds: f64,
    /// The optimizer: another one of the spec's begins with a phase.
    pub optimizer: Optimizer,
    /// A hash over the samples, their classes and splits.
    pub data: String,
    /// How many of the spec's batches make a step: the number of ranks with which the run began.
    #[serde(default = "RunState::one", skip_serializing_if = "RunState::is_one")]
    pub batches_a_step: usize,
    /// The number of the spec that holds.
    pub spec: usize,
    /// The number of the spec that was taken up after it, and does not hold in all yet.
    pub pending: Option<usize>,
}

impl RunState {
    fn one() -> usize {
        1
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    fn is_one(count: &usize) -> bool {
        *count == 1
    }
}
