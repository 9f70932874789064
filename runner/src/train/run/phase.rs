//! Where phases begin and end.

use super::{Run, SoFar, phase_at};
use crate::engine::Kernels;
use crate::engine::device::empty_cache;
use crate::net::Params;
use crate::plan::PhasePlan;
use crate::plan::memory::Needs;
use crate::train::events::DeviceMemory;
use crate::train::state::{EpochState, Position, Stage};
use crate::train::{Event, TrainError, announce, frozen};
use std::sync::Arc;

impl<D: Kernels> Run<'_, D> {
    pub(super) fn begin_phase(&mut self) -> Result<Option<Stage>, TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let phase = phase_at(&plan, self.position.phase)?;
        self.position = Position { epoch_in_phase: 0, step_in_phase: 0, step_in_epoch: 0, ..self.position.clone() };
        self.of_epoch = EpochState::default();
        self.optimizer.replace(&plan.spec.schedule.optimizer);
        self.optimizer.begin(phase);
        self.watch.waited = 0;
        self.so_far = SoFar::begin(self.position.epoch + 1);
        if let Some(average) = &mut self.average {
            average.begin(phase, &self.net);
        }
        let hash = self.enter(phase)?;
        self.so_far.state.frozen_hash.clone_from(&hash);
        let trainable = phase.trainable(self.net.graph.params.len());
        let kept = self.cache.as_ref().map(|cache| cache.facts(&self.net.graph, &self.job.data));
        self.record(&announce::phase_started(&self.net, phase, &trainable, self.position.step, hash, kept))?;
        Ok(Some(match phase.epochs {
            0 => Stage::PhaseEnds { reason: "it has no epochs".to_owned(), and_run: false },
            _ => Stage::Epoch,
        }))
    }

    /// Makes the net one of this phase: what trains in it, and where passes end. Gives the hash of what is
    /// frozen.
    pub(super) fn enter(&mut self, phase: &PhasePlan) -> Result<String, TrainError> {
        self.net.params.want_grads(&phase.trainable(self.net.graph.params.len()));
        self.net.graph.leave_by(phase.exit);
        empty_cache(self.device)?;
        self.device.take_peak();
        self.open_cache()?;
        Ok(frozen::hash(&self.net, &phase.frozen)?)
    }

    /// The hash of what is frozen in the phase that goes on: the same as when it began.
    pub(super) fn still_frozen(&self, phase: &PhasePlan) -> Result<String, TrainError> {
        let (before, after) = (&self.so_far.state.frozen_hash, frozen::hash(&self.net, &phase.frozen)?);
        if *before == after {
            return Ok(after);
        }
        Err(TrainError::FrozenChanged { phase: phase.name.clone(), before: before.clone(), after })
    }

    pub(super) fn end_phase(&mut self, reason: String, and_run: bool) -> Result<Option<Stage>, TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let phase = phase_at(&plan, self.position.phase)?;
        let restored_epoch = self.restore_best_of_phase();
        let frozen_hash = self.still_frozen(phase)?;
        self.check_average(phase, &frozen_hash)?;
        self.record(&Event::PhaseFinished {
            phase: phase.name.clone(),
            reason: reason.clone(),
            step: self.position.step,
            restored_epoch,
            frozen_hash,
            device_memory: self.device.take_peak().map(|peak| {
                let needs = Needs::of(&self.net.graph, phase, &plan.spec);
                DeviceMemory { peak, estimate: needs.in_pieces(phase.micro_batch).on_device() }
            }),
        })?;
        if and_run {
            return Ok(Some(Stage::Ending { reason }));
        }
        Ok(Some(if self.go_to_next_phase()? {
            Stage::PhaseBegins
        } else {
            Stage::Ending { reason: "all phases are done".to_owned() }
        }))
    }

    /// Goes back to the phase's best weights, where it restores them and they are not its last; says to
    /// which epoch.
    fn restore_best_of_phase(&mut self) -> Option<usize> {
        let best = self.so_far.better_than(self.position.epoch)?;
        self.net.params = Params::new(best.weights);
        if let Some(average) = &mut self.average {
            average.go_back();
        }
        Some(best.epoch)
    }
}
