//! The checkpoints that a run keeps.

use super::Run;
use crate::engine::Kernels;
use crate::net::{Net, Params};
use crate::spec::Every;
use crate::train::average::{Average, Whose};
use crate::train::checkpoint::{self, About};
use crate::train::so_far::Best;
use crate::train::state::{Owed, Position, RunState, Stage};
use crate::train::{Event, TrainError};
use std::time::Instant;

/// The last checkpoint, within the run directory.
pub(super) const LAST: &str = "checkpoints/last.safetensors";
/// The best weights, within the run directory.
const BEST: &str = "checkpoints/best.safetensors";

/// Where the spec does not say when, the position is saved once so many times of what saving it took have passed:
/// saving then takes less than a twentieth of the time.
const SHARE: u32 = 20;

/// Files that are written with the next save.
#[derive(Default)]
pub(super) struct PutOff {
    /// What the file of the best weights says; the weights are [`Run::best`].
    pub best: Option<About>,
    /// Whether the phase's best weights are not in their file.
    pub best_of_phase: bool,
}

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
            batches_a_step: self.job.batches_a_step,
            spec: self.job.number,
            pending: self.pending.as_ref().map(|pending| pending.number),
        }
    }

    /// Seconds that the run has taken, pauses left out.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// An epoch ended: its position is saved where that is worth the time, and what is owed is paid, now or with
    /// the next save. A run that is killed before goes on from an earlier position, and comes to the same.
    pub(super) fn save_epoch(&mut self, next: &Stage) -> Result<(), TrainError> {
        let (when, _) = self.saved;
        let goes_on = matches!(next, Stage::Epoch) && self.job.plan.spec.checkpoint.every.is_none();
        if goes_on && !self.job.stop.is_raised() && when.elapsed() < self.saving * SHARE {
            return self.put_off();
        }
        let began = Instant::now();
        self.save_last()?;
        self.pay_what_is_owed()?;
        self.saving = began.elapsed();
        Ok(())
    }

    /// What is owed is kept in memory until the next save.
    fn put_off(&mut self) -> Result<(), TrainError> {
        let Owed { best, best_of_phase } = std::mem::take(&mut self.owed);
        self.put_off.best_of_phase |= best_of_phase;
        if let Some((watched, whose)) = best {
            self.with_weights_of(whose, |run| {
                run.put_off.best = Some(run.remember_best(watched, whose));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Writes the best weights that were put off, unless better ones are owed.
    pub(super) fn write_put_off(&mut self) -> Result<(), TrainError> {
        let PutOff { best, best_of_phase } = std::mem::take(&mut self.put_off);
        if !self.job.writes() {
            return Ok(());
        }
        if let Some(weights) = self.so_far.best().filter(|_| best_of_phase && !self.owed.best_of_phase) {
            let position = Position { epoch: weights.epoch, ..self.position.clone() };
            let net = Net { graph: self.net.graph.clone(), params: Params::new(weights.weights.clone()) };
            checkpoint::write_params(&self.job.dir.best_of_phase(), &net, &About { position, ..self.about() })?;
        }
        match best.zip(self.best.as_ref()).filter(|_| self.owed.best.is_none()) {
            Some((about, best)) => {
                let net = Net { graph: self.net.graph.clone(), params: Params::new(best.weights.clone()) };
                checkpoint::write(&self.job.dir.best(), &net, None, None, &about)?;
                let Position { epoch, step, .. } = about.position;
                self.record(&Event::CheckpointSaved { file: BEST.to_owned(), epoch, step })
            }
            None => Ok(()),
        }
    }

    /// Saves the position. What comes next is told by the stage.
    pub(super) fn save_last(&mut self) -> Result<(), TrainError> {
        self.write_put_off()?;
        if self.job.writes() {
            self.write_last()?;
        }
        self.saved = (Instant::now(), self.position.step);
        self.saved_as(LAST)
    }

    fn write_last(&mut self) -> Result<(), TrainError> {
        let path = self.job.dir.file("events.jsonl");
        let events = self.log.sync().map_err(TrainError::file(&path))?;
        let path = self.job.dir.last();
        self.job.dir.rotate(self.job.plan.spec.checkpoint.keep).map_err(TrainError::file(&path))?;
        let about = About { run: Some(self.state(events)), ..self.about() };
        checkpoint::write(&path, &self.net, Some(&self.optimizer), self.average.as_ref(), &about)
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
        if best_of_phase && self.job.writes() {
            checkpoint::write_params(&self.job.dir.best_of_phase(), &self.net, &self.about())?;
        }
        match best {
            Some((watched, whose)) => self.keep_better(watched, whose),
            None => Ok(()),
        }
    }

    pub(super) fn keep_best(&mut self, watched: f64, whose: Whose) -> Result<(), TrainError> {
        let about = self.remember_best(watched, whose);
        if self.job.writes() {
            checkpoint::write(&self.job.dir.best(), &self.net, None, None, &about)?;
        }
        self.saved_as(BEST)
    }

    /// The net's weights are the best; gives what their file says.
    fn remember_best(&mut self, watched: f64, whose: Whose) -> About {
        let weights = self.net.params.tensors().to_vec();
        self.best = Some(Best { epoch: self.position.epoch, weights });
        self.best_whose = whose;
        About { watched: Some(watched), weights: whose, ..self.about() }
    }

    pub(super) fn saved_as(&mut self, file: &str) -> Result<(), TrainError> {
        let (epoch, step) = (self.position.epoch, self.position.step);
        self.record(&Event::CheckpointSaved { file: file.to_owned(), epoch, step })
    }
}
