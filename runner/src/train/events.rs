//! What happens in a run, one JSON object a line in `events.jsonl`.

use super::average::Whose;
use crate::metrics::{ClassScore, Scores};
use crate::plan::cache::Place;
use crate::spec::Class;
use indexmap::IndexMap;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A plugin whose layers run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadedPlugin {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The hash of the library.
    pub sha256: String,
}

/// Something that happened. The field `event` in the file names which.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// The pipeline's name.
        name: String,
        /// Where the run is kept.
        run_dir: String,
        /// The program's version.
        version: &'static str,
        /// The seed.
        seed: u64,
        /// Where it computes.
        device: String,
        /// The processes that train together, where there are several.
        #[serde(skip_serializing_if = "Option::is_none")]
        ranks: Option<Together>,
        /// What data is used, for a person.
        data: String,
        /// Whether the images are generated because the source could not be had.
        fallback: bool,
        /// The classes' names.
        classes: Vec<String>,
        /// Samples by split.
        samples: Counts,
        /// Images that an epoch draws, where classes are oversampled.
        #[serde(skip_serializing_if = "Option::is_none")]
        drawn: Option<usize>,
        /// Images that cannot be read and are left out.
        bad_images: Vec<String>,
        /// How the weight file was taken, or that weights are random.
        weights: String,
        /// The plugins that bring layers.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        plugins: Vec<LoadedPlugin>,
    },
    /// The features of the training images are there, for the head to be fitted on.
    FeaturesExtracted {
        /// How the head is fitted, for a person.
        head: String,
        /// Images.
        images: usize,
        /// Features of each.
        width: usize,
        /// Images a second.
        images_per_second: f64,
        /// Seconds it took.
        seconds: f64,
    },
    /// The head is fitted.
    HeadFitted {
        /// What the solver minimized, at the end.
        objective: f64,
        /// Iterations of the solver; of one a class the most.
        iterations: usize,
        /// Whether it reached its tolerance.
        converged: bool,
        /// Mean loss on the training split, without augmentation and class weights.
        train_loss: f64,
        /// Accuracy on the training split, likewise.
        train_accuracy: f64,
        /// Metrics on the validation split.
        #[serde(skip_serializing_if = "Option::is_none")]
        val: Option<Scores>,
        /// Hash over all of the net but the head: the same as before.
        frozen_hash: String,
        /// Seconds that the solver took.
        seconds: f64,
    },
    /// A phase begins.
    PhaseStarted {
        /// The phase's name.
        phase: String,
        /// Its epochs, at most.
        epochs: usize,
        /// Steps before it.
        step: u64,
        /// Learning rate by group, before the scheduler's factor.
        lr: IndexMap<String, f64>,
        /// Values that train.
        trainable: usize,
        /// Values that do not.
        frozen: usize,
        /// Hash over all frozen tensors.
        frozen_hash: String,
        /// What is computed once and kept; absent where nothing is.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache: Option<KeptFeatures>,
    },
    /// An epoch ends.
    EpochFinished {
        /// The phase's name.
        phase: String,
        /// Epochs since the run began, from 1.
        epoch: usize,
        /// Steps so far.
        step: u64,
        /// Learning rate by group in the epoch's last step.
        lr: IndexMap<String, f64>,
        /// Mean loss on the training split, with its augmentation and regularization.
        train_loss: f64,
        /// Accuracy on the training split, likewise; absent where nothing is classified.
        #[serde(skip_serializing_if = "Option::is_none")]
        train_accuracy: Option<f64>,
        /// Metrics on the validation split.
        #[serde(skip_serializing_if = "Option::is_none")]
        val: Option<Scores>,
        /// The same with the moving average of the weights, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        val_ema: Option<Scores>,
        /// Whose weights are the best so far, where these are and a moving average was evaluated too.
        #[serde(skip_serializing_if = "Option::is_none")]
        best_weights: Option<Whose>,
        /// The largest norm of all gradients of a step.
        largest_gradient: f64,
        /// Whether these are the best weights so far.
        best: bool,
        /// Images trained on a second.
        images_per_second: f64,
        /// Seconds it took, validation included.
        seconds: f64,
    },
    /// The average over epochs is done: its running statistics are taken anew.
    AverageFinished {
        /// Epochs whose weights are in it.
        epochs: u64,
        /// Metrics on the validation split.
        #[serde(skip_serializing_if = "Option::is_none")]
        val: Option<Scores>,
        /// Whether its weights are the best of the run.
        best: bool,
    },
    /// A checkpoint is on disk.
    CheckpointSaved {
        /// Its file, within the run directory.
        file: String,
        /// Epochs so far.
        epoch: usize,
        /// Steps so far.
        step: u64,
    },
    /// A phase ends.
    PhaseFinished {
        /// The phase's name.
        phase: String,
        /// Why.
        reason: String,
        /// Steps so far.
        step: u64,
        /// The epoch to whose weights it went back, where the phase restores its best.
        #[serde(skip_serializing_if = "Option::is_none")]
        restored_epoch: Option<usize>,
        /// Hash over all frozen tensors: the same as at its start.
        frozen_hash: String,
        /// What it took of the memory of a device that has its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        device_memory: Option<DeviceMemory>,
    },
    /// The run ends.
    RunFinished {
        /// Why.
        reason: String,
        /// What data was used, for a person.
        data: String,
        /// Whether the images were generated because the source could not be had.
        fallback: bool,
        /// The epoch of the weights that were tested.
        best_epoch: usize,
        /// Whose weights they are, where weights are averaged.
        #[serde(skip_serializing_if = "Option::is_none")]
        best_weights: Option<Whose>,
        /// Metrics on the test split with the best weights.
        #[serde(skip_serializing_if = "Option::is_none")]
        test: Option<Scores>,
        /// Likewise by the images as they are alone, where `test` is by several views.
        #[serde(skip_serializing_if = "Option::is_none")]
        test_one_view: Option<Scores>,
        /// The scores of each class on the test split.
        #[serde(skip_serializing_if = "IndexMap::is_empty")]
        classes: IndexMap<String, ClassScore>,
        /// Seconds it took.
        seconds: f64,
    },
    /// The run is stopped from outside; its position is saved.
    RunInterrupted {
        /// The phase's name; none before the first.
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
        /// Epochs so far.
        epoch: usize,
        /// Steps so far.
        step: u64,
    },
    /// The run goes on from a checkpoint. What happened after that is not in this file: it happens again.
    RunResumed {
        /// The checkpoint's file, within the run directory.
        checkpoint: String,
        /// Epochs so far.
        epoch: usize,
        /// Steps so far.
        step: u64,
        /// What a person should know: damaged files, and the like.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// The spec was saved, and the run takes it up.
    ReloadApplied {
        /// The number of the spec, whose file is `specs/NUMBER.yaml`.
        number: usize,
        /// Steps before it.
        step: u64,
        /// What came next in the run.
        stage: String,
        /// What differs from the spec before.
        changes: Vec<ChangedField>,
    },
    /// All of a spec that was taken up holds now.
    ReloadInEffect {
        /// Its number.
        number: usize,
        /// Epochs so far.
        epoch: usize,
        /// Steps so far.
        step: u64,
        /// Epochs of all its phases together, at most.
        epochs: usize,
        /// Tensors that are as they were; none where the net was not built anew.
        #[serde(skip_serializing_if = "Option::is_none")]
        kept: Option<usize>,
        /// Tensors that are new, and begin with their first values.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        initialised: Vec<String>,
        /// Tensors that are no more.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        dropped: Vec<String>,
    },
    /// The spec was saved, and the run goes on by the last good one.
    ReloadRejected {
        /// Why, for a person: with places in the spec.
        reason: String,
        /// The fields that cannot be changed, where that is why.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<String>,
        /// Steps so far.
        step: u64,
    },
    /// The run ends by an error.
    RunFailed {
        /// The error.
        reason: String,
        /// Steps so far.
        step: u64,
    },
}

/// Processes that train together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Together {
    /// How many.
    pub count: usize,
    /// Images of a batch of one of them.
    pub batch: usize,
    /// Images of a step.
    pub step: usize,
}

/// A field of the spec that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedField {
    /// Where: `schedule.phases.top.lr`.
    pub field: String,
    /// What became of it, for a person: `1e-4 → 3e-4`.
    pub change: String,
    /// When it takes effect.
    pub class: Class,
    /// The steps before it does; none where that cannot be told yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_step: Option<u64>,
}

/// Features that a phase computes once and keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptFeatures {
    /// The first layer that runs in every epoch.
    pub layer: String,
    /// Values of an image.
    pub values: usize,
    /// Augmented draws of each image that trains; 0 where only images that are validated are kept, 1 where
    /// images that train are the same in every epoch.
    pub draws: usize,
    /// Bytes of all of it.
    pub bytes: u64,
    /// `memory` or `disk`; `nowhere` where it could not be kept.
    pub place: Place,
}

/// Memory of a device that has its own, over a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeviceMemory {
    /// The most bytes that were in use at once.
    pub peak: u64,
    /// The plan's estimate of that.
    pub estimate: u64,
}

/// Samples by split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// They train.
    pub train: usize,
    /// They are watched while training.
    pub val: usize,
    /// They are looked at once, at the end.
    pub test: usize,
}

/// `events.jsonl` of a run.
#[derive(Debug)]
pub struct EventLog {
    /// None on ranks that write nothing.
    file: Option<File>,
}

impl EventLog {
    /// A log that is nowhere.
    pub fn nowhere() -> Self {
        EventLog { file: None }
    }

    /// Opens the log, to be added to.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(EventLog { file: Some(file) })
    }

    /// Opens the log as it was when it had `bytes` bytes: what came after is cut off.
    ///
    /// # Errors
    /// Where it has fewer, or cannot be opened.
    pub fn reopen(path: &Path, bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let found = file.metadata()?.len();
        if found < bytes {
            let message = format!("it has {found} bytes, and had {bytes} when the checkpoint was written");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        file.set_len(bytes)?;
        Ok(EventLog { file: Some(file) })
    }

    /// Bytes that are on the disk for good.
    pub fn sync(&self) -> io::Result<u64> {
        let Some(file) = &self.file else { return Ok(0) };
        file.sync_data()?;
        Ok(file.metadata()?.len())
    }

    /// Adds one event with the time; it is in the file when this returns.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line {
            time: String,
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let time = Line { time: jiff::Timestamp::now().to_string() };
        let mut line = serde_json::to_value(event)?;
        if let (Some(fields), serde_json::Value::Object(time)) = (line.as_object_mut(), serde_json::to_value(time)?) {
            fields.extend(time);
        }
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_that_names_its_event() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("events.jsonl");
        let mut log = EventLog::open(&path)?;
        log.write(&Event::CheckpointSaved { file: "checkpoints/last.safetensors".into(), epoch: 2, step: 40 })?;
        log.write(&Event::RunFailed { reason: "two\nlines".into(), step: 41 })?;
        let text = std::fs::read_to_string(path)?;
        let lines: Vec<serde_json::Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert_eq!(lines[0]["event"], "checkpoint_saved");
        assert_eq!(lines[0]["step"], 40);
        assert_eq!(lines[1]["reason"], "two\nlines");
        assert!(lines[1]["time"].as_str().is_some_and(|time| time.ends_with('Z')));
        Ok(())
    }
}
