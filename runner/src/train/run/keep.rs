//! The checkpoints that a run keeps.

use super::Run;
use crate::engine::Kernels;
use crate::spec::Every;
use crate::train::average::{Average, Whose};
use crate::train::checkpoint::{self, About};
use crate::train::so_far::Best;
use crate::train::state::{Owed, RunState};
use crate::train::{Event, TrainError};
use std::time::Instant;

/// The last checkpoint, within the run directory.
pub(super) const LAST: &str = "checkpoints/last.safetensors";

impl<D: Kernels> Run<'_, D> {
    fn about(&self) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            position: self.position.clone(),
            classes: self.job.data.facts.classes.clone(),
            watched: None,
            weights: Whose::Raw,
            run: None,
        }
    }

    /// Where the run is, when the log has so many bytes.
    fn state(&self, events: u64) -> RunState {
        RunState {
            stage: self.stage.clone(),
            epoch: self.of_epoch.clone(),
            phase: self.so_far.state.clone(),
            watch: self.watch.clone(),
            best: self.best.as_ref().map(|best| best.epoch),
            best_whose: self.best_whose,
            average: self.average.as_ref().map(Average::state),
            owed: self.owed,
            events,
            optimizer: self.optimizer.optimizer().clone(),
            seconds: self.seconds(),
            data: self.data.clone(),
            spec: self.job.number,
            pending: self.pending.as_ref().map(|pending| pending.number),
        }
    }

    /// Seconds that the run has taken, pauses left out.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Saves the position. What comes next is told by the stage.
    pub(super) fn save_last(&mut self) -> Result<(), TrainError> {
        let path = self.job.dir.file("events.jsonl");
        let events = self.log.sync().map_err(TrainError::file(&path))?;
        let path = self.job.dir.last();
        self.job.dir.rotate(self.job.plan.spec.checkpoint.keep).map_err(TrainError::file(&path))?;
        let about = About { run: Some(self.state(events)), ..self.about() };
        checkpoint::write(&path, &self.net, Some(&self.optimizer), self.average.as_ref(), &about)?;
        self.saved = (Instant::now(), self.position.step);
        self.saved_as(LAST)
    }

    /// Saves the position within an epoch, where the spec wants it now.
    pub(super) fn save_if_due(&mut self) -> Result<(), TrainError> {
        let (when, step) = self.saved;
        let due = match self.job.plan.spec.checkpoint.every {
            Some(Every::Steps(steps)) => self.position.step.is_multiple_of(steps) && self.position.step != step,
            Some(Every::Time(time)) => when.elapsed() >= time,
            None => false,
        };
        if due { self.save_last() } else { Ok(()) }
    }

    /// Writes the files that come after the checkpoint, of what is in it.
    pub(super) fn pay_what_is_owed(&mut self) -> Result<(), TrainError> {
        let Owed { best, best_of_phase } = std::mem::take(&mut self.owed);
        if best_of_phase {
            checkpoint::write_params(&self.job.dir.best_of_phase(), &self.net, &self.about())?;
        }
        match best {
            Some((watched, whose)) => self.keep_better(watched, whose),
            None => Ok(()),
        }
    }

    pub(super) fn keep_best(&mut self, watched: f64, whose: Whose) -> Result<(), TrainError> {
        let weights = self.net.params.tensors().to_vec();
        self.best = Some(Best { epoch: self.position.epoch, weights });
        self.best_whose = whose;
        let about = About { watched: Some(watched), weights: whose, ..self.about() };
        checkpoint::write(&self.job.dir.best(), &self.net, None, None, &about)?;
        self.saved_as("checkpoints/best.safetensors")
    }

    pub(super) fn saved_as(&mut self, file: &str) -> Result<(), TrainError> {
        let (epoch, step) = (self.position.epoch, self.position.step);
        self.record(&Event::CheckpointSaved { file: file.to_owned(), epoch, step })
    }
}
