//! Going on from a checkpoint.

use super::Run;
use super::keep::LAST;
use crate::engine::{Kernels, Tensor};
use crate::net::Graph;
use crate::train::checkpoint::{self, About};
use crate::train::optimizer::State;
use crate::train::reload::Prepared;
use crate::train::so_far::{Best, SoFar};
use crate::train::state::{RunState, Stage};
use crate::train::{Event, RunDir, TrainError};
use crate::weights::{WeightFile, WeightsError};
use std::path::Path;
use std::sync::Arc;

/// A checkpoint that a run can go on from.
pub struct Checkpoint {
    /// Its file, within the run directory.
    pub name: String,
    file: WeightFile,
    /// What it says besides tensors.
    pub about: About,
    /// Where the run is.
    pub state: RunState,
    /// What a person should know of how it was found.
    pub notes: Vec<String>,
}

impl Checkpoint {
    /// The latest checkpoint of a run that is whole; `None` where the run has not written one yet.
    ///
    /// # Errors
    /// Where there are some, and all are damaged.
    pub fn latest(dir: &RunDir) -> Result<Option<Self>, TrainError> {
        let mut notes = Vec::new();
        let mut count = 0;
        loop {
            let path = dir.before_last(count);
            if !path.exists() && count > 0 {
                break;
            }
            count += 1;
            match open(&path) {
                Ok((file, about, state)) => {
                    let name = within(dir, &path);
                    if !notes.is_empty() {
                        notes.push(format!("going on from {name}, after step {}", about.position.step));
                    }
                    return Ok(Some(Checkpoint { name, file, about, state, notes }));
                }
                Err(_) if !path.exists() => {}
                Err(error) => notes.push(error.to_string()),
            }
        }
        if notes.is_empty() { Ok(None) } else { Err(TrainError::NoWholeCheckpoint { faults: notes }) }
    }
}

fn within(dir: &RunDir, path: &Path) -> String {
    path.strip_prefix(dir.path()).unwrap_or(path).display().to_string()
}

/// Opens a checkpoint that is whole.
fn open(path: &Path) -> Result<(WeightFile, About, RunState), WeightsError> {
    let fault = |reason: &str| WeightsError::File { path: path.display().to_string(), reason: reason.to_owned() };
    let file = WeightFile::open_whole(path)?;
    let about = checkpoint::about(&file).ok_or_else(|| fault("no checkpoint of this version of runner"))?;
    let state = about.run.clone().ok_or_else(|| fault("it does not say where the run is"))?;
    Ok((file, about, state))
}

impl<D: Kernels> Run<'_, D> {
    /// Takes up a checkpoint of the run.
    pub(super) fn take_up(&mut self, checkpoint: Checkpoint, pending: Option<Prepared>) -> Result<(), TrainError> {
        let Checkpoint { name, mut file, about, state, mut notes } = checkpoint;
        if state.data != self.data {
            return Err(TrainError::OtherData);
        }
        self.net.params = checkpoint::read_params(&mut file, self.device, &self.net.graph)?;
        self.optimizer = State::new(state.optimizer);
        self.optimizer.resume(&mut file, &self.net)?;
        if let (Some(average), Some(state)) = (&mut self.average, state.average) {
            average.resume(&mut file, state, &self.net)?;
        }
        self.position = about.position;
        self.stage = state.stage;
        self.of_epoch = state.epoch;
        self.watch = state.watch;
        self.owed = state.owed;
        self.best_whose = state.best_whose;
        self.seconds_before = state.seconds;
        self.so_far = SoFar::resume(state.phase.clone(), self.best_of_phase(state.phase.best, &mut notes));
        self.take_up_best(state.best, &mut notes);
        if matches!(self.stage, Stage::Epoch | Stage::PhaseEnds { .. }) {
            self.re_enter(&state.phase.frozen_hash, &name)?;
        }
        self.saved_as(LAST)?;
        self.pay_what_is_owed()?;
        let (epoch, step) = (self.position.epoch, self.position.step);
        self.saved.1 = step;
        self.record(&Event::RunResumed { checkpoint: name, epoch, step, notes })?;
        match (pending, state.pending) {
            (Some(pending), Some(number)) => self.offered_before(number, pending),
            _ => Ok(()),
        }
    }

    /// Goes on in the middle of a phase, whose frozen tensors must be what they were when it began.
    fn re_enter(&mut self, before: &str, name: &str) -> Result<(), TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let phase = super::phase_at(&plan, self.position.phase)?;
        let found = self.enter(phase)?;
        if found == before {
            return Ok(());
        }
        let reason = format!("its frozen tensors are not those with which phase `{}` began", phase.name);
        Err(WeightsError::File { path: name.to_owned(), reason }.into())
    }

    /// The best weights of the phase that goes on. Where the file is of another epoch, the run was killed
    /// before it wrote that of this one, or goes on from an earlier checkpoint.
    fn best_of_phase(&mut self, epoch: Option<usize>, notes: &mut Vec<String>) -> Option<Vec<Tensor<D>>> {
        let goes_on = matches!(self.stage, Stage::Epoch | Stage::PhaseEnds { .. });
        let epoch = epoch.filter(|_| goes_on)?;
        if self.owed.best_of_phase {
            return Some(self.net.params.tensors().to_vec());
        }
        let path = self.job.dir.best_of_phase();
        let weights = weights_of(self.device, &path, &self.net.graph, |about| about.position.epoch == epoch);
        weights.unwrap_or_else(|error| {
            notes.push(format!("{error}; the phase's best weights so far are lost"));
            None
        })
    }

    /// The best weights of the run so far.
    fn take_up_best(&mut self, epoch: Option<usize>, notes: &mut Vec<String>) {
        let Some(epoch) = epoch.filter(|_| self.owed.best.is_none()) else { return };
        let (path, whose) = (self.job.dir.best(), self.best_whose);
        let own = self.net.graph.clone().without_auxiliary();
        let is_it = |about: &About| about.position.epoch == epoch && about.weights == whose;
        match weights_of(self.device, &path, &own, is_it) {
            Ok(Some(weights)) => self.best = Some(Best { epoch, weights }),
            // It is of a later epoch, which comes again.
            Ok(None) => {}
            Err(error) => {
                notes.push(format!("{error}; the best weights are those of the epochs that come now"));
                self.watch.best = None;
            }
        }
    }
}

/// The weights in a file, if it is the one that is meant.
fn weights_of<D: Kernels>(
    device: &D,
    path: &Path,
    graph: &Graph,
    is_it: impl FnOnce(&About) -> bool,
) -> Result<Option<Vec<Tensor<D>>>, TrainError> {
    let mut file = WeightFile::open_whole(path)?;
    if !checkpoint::about(&file).is_some_and(|about| is_it(&about)) {
        return Ok(None);
    }
    Ok(Some(checkpoint::read_params(&mut file, device, graph)?.tensors().to_vec()))
}
