//! The loop: what comes next is told by a [`Stage`], and a checkpoint is a stage with tensors.

mod averages;
mod cache;
mod epoch;
mod finish;
mod fit;
mod keep;
mod phase;
mod reload;
mod resume;
mod take_over;
mod together;

pub use resume::Checkpoint;

use keep::PutOff;

use super::average::{Average, Whose};
use super::cache::Cache;
use super::evaluate::{Evaluation, evaluate_views};
use super::events::{Event, EventLog};
use super::observer::{Observer, Progress};
use super::optimizer::State;
use super::penalties::Penalties;
use super::reload::{Follow, Prepared};
use super::so_far::{Best, SoFar};
use super::state::{EpochState, Owed, Position, Stage};
use super::{RunDir, StopFlag, TrainError, announce, sampling};
use crate::data::{BadImage, Dataset, Loader};
use crate::engine::Kernels;
use crate::net::Net;
use crate::plan::{Course, PhasePlan, Plan};
use crate::ranks::Ranks;
use crate::regularize::{EarlyStopping, LossTargets, Metric, Watch};
use crate::spec::Pipeline;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a run is made of.
pub struct Job<'a> {
    /// What is to be done.
    pub plan: Arc<Plan>,
    /// The samples, those that cannot be read left out.
    pub data: Dataset,
    /// Images that cannot be read.
    pub bad: Vec<BadImage>,
    /// Where the run is kept.
    pub dir: &'a RunDir,
    /// Where features are kept that do not fit into memory.
    pub features: PathBuf,
    /// Told by Ctrl-C.
    pub stop: StopFlag,
    /// Threads that read images.
    pub workers: usize,
    /// The processes that train together.
    pub ranks: Ranks,
    /// How many of the spec's batches make a step: as many as there were ranks when the run began.
    pub batches_a_step: usize,
    /// Where other specs come from while it goes on.
    pub follow: Box<dyn Follow + 'a>,
    /// The spec as it is written, with absolute paths.
    pub written: Pipeline,
    /// The number under which it is kept.
    pub number: usize,
    /// How the spec is run, for a person: `runner pipelines/medical.yaml`.
    pub command: String,
}

/// A spec that was taken up and does not hold in all yet.
struct Pending {
    number: usize,
    written: Pipeline,
    plan: Arc<Plan>,
    course: Course,
    /// Whether the net is built anew.
    rebuilds: bool,
}

/// How a run ended, when not by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Finished,
    /// It was stopped from outside, its position saved.
    Interrupted,
}

/// Watches the validation loss and never stops.
const NEVER: EarlyStopping =
    EarlyStopping { metric: Metric::ValLoss, patience: usize::MAX, min_delta: 0.0, restore_best: false };

/// Trains `net` as the plan says.
pub fn train<D: Kernels>(
    device: &D,
    net: Net<D>,
    job: Job<'_>,
    weights: String,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let path = job.dir.file("events.jsonl");
    let log = if job.writes() { EventLog::open(&path).map_err(TrainError::file(&path))? } else { EventLog::nowhere() };
    let mut run = Run::new(device, net, job, log, observer);
    run.agree_at_start()?;
    run.record(&announce::run_started(run.device, &run.job, weights))?;
    run.complete()
}

/// Goes on with a run from a checkpoint of it. `start` are the weights that the run began with, `pending` the
/// spec that it had taken up besides the one that held.
pub fn resume<D: Kernels>(
    device: &D,
    start: Net<D>,
    job: Job<'_>,
    checkpoint: Checkpoint,
    pending: Option<Prepared>,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let path = job.dir.file("events.jsonl");
    let reopen = || EventLog::reopen(&path, checkpoint.state.events).map_err(TrainError::file(&path));
    let log = if job.writes() { reopen()? } else { EventLog::nowhere() };
    let mut run = Run::new(device, start, job, log, observer);
    run.take_up(checkpoint, pending)?;
    run.agree_at_start()?;
    run.complete()
}

struct Run<'a, D: Kernels> {
    device: &'a D,
    net: Net<D>,
    job: Job<'a>,
    loader: Loader,
    targets: LossTargets,
    optimizer: State<D>,
    penalties: Penalties<D>,
    average: Option<Average<D>>,
    rule: EarlyStopping,
    watch: Watch,
    best: Option<Best<D>>,
    /// Whose weights are the best.
    best_whose: Whose,
    so_far: SoFar<D>,
    of_epoch: EpochState,
    position: Position,
    stage: Stage,
    owed: Owed,
    /// A hash over the samples.
    data: String,
    log: EventLog,
    observer: &'a mut dyn Observer,
    /// Seconds that the run took before it was resumed.
    seconds_before: f64,
    started: Instant,
    /// When the last checkpoint was written, and after which step.
    saved: (Instant, u64),
    /// How long that took.
    saving: Duration,
    /// What was not written with an epoch that was not worth saving.
    put_off: PutOff,
    /// Steps of the epoch that goes on.
    steps_in_epoch: usize,
    pending: Option<Pending>,
    /// What the phase keeps of its images.
    cache: Option<Cache>,
}

impl<'a, D: Kernels> Run<'a, D> {
    fn new(device: &'a D, net: Net<D>, mut job: Job<'a>, log: EventLog, observer: &'a mut dyn Observer) -> Self {
        job.fit_to_ranks();
        let spec = &job.plan.spec;
        let loader = loader(&job);
        let now = Instant::now();
        Run {
            device,
            penalties: Penalties::new(&job.plan, &net),
            average: Average::new(&spec.regularization, &net),
            net,
            loader,
            targets: loss_targets(spec, &job.data),
            optimizer: State::new(spec.schedule.optimizer.clone()),
            rule: spec.regularization.early_stopping.clone().unwrap_or(NEVER),
            watch: Watch::default(),
            best: None,
            best_whose: Whose::Raw,
            so_far: SoFar::begin(1),
            of_epoch: EpochState::default(),
            position: Position::default(),
            stage: if job.plan.fitted.is_some() { Stage::Fit } else { first_stage(&job.plan) },
            owed: Owed::default(),
            data: sampling::fingerprint(&job.data),
            log,
            observer,
            seconds_before: 0.0,
            started: now,
            saved: (now, 0),
            saving: Duration::ZERO,
            put_off: PutOff::default(),
            steps_in_epoch: 0,
            pending: None,
            cache: None,
            job,
        }
    }

    fn record(&mut self, event: &Event) -> Result<(), TrainError> {
        let path = self.job.dir.file("events.jsonl");
        self.log.write(event).map_err(TrainError::file(&path))?;
        self.observer.event(event);
        Ok(())
    }

    fn complete(&mut self) -> Result<Outcome, TrainError> {
        let outcome = self.stages();
        if let Err(error) = &outcome {
            // The error itself matters more than files that cannot be written either.
            let _ = self.write_put_off();
            let _ = self.record(&Event::RunFailed { reason: error.to_string(), step: self.position.step });
        }
        outcome
    }

    /// Does what comes next until nothing does.
    fn stages(&mut self) -> Result<Outcome, TrainError> {
        loop {
            if matches!(self.stage, Stage::Epoch | Stage::PhaseBegins | Stage::PhaseEnds { .. }) {
                self.look_at_spec()?;
                self.at_a_border()?;
            }
            let next = match self.stage.clone() {
                Stage::Fit => self.fit()?,
                Stage::PhaseBegins => self.begin_phase()?,
                Stage::Epoch => self.epoch()?,
                Stage::PhaseEnds { reason, and_run } => self.end_phase(reason, and_run)?,
                Stage::Ending { reason } => self.end(reason)?,
                Stage::Restoring { reason } => self.restore(reason)?,
                Stage::Testing { reason } => self.test(reason)?,
                Stage::Done => return Ok(Outcome::Finished),
            };
            match next {
                Some(stage) => self.stage = stage,
                None => return self.interrupted(),
            }
        }
    }

    /// The run was stopped from outside.
    fn interrupted(&mut self) -> Result<Outcome, TrainError> {
        let phase = self.job.plan.phases.get(self.position.phase).map(|phase| phase.name.clone());
        let (epoch, step) = (self.position.epoch, self.position.step);
        self.record(&Event::RunInterrupted { phase, epoch, step })?;
        Ok(Outcome::Interrupted)
    }

    fn evaluate_split(&mut self, split: Split) -> Result<Evaluation, TrainError> {
        if let Split::Val = split
            && let Some(evaluation) = self.evaluate_kept()?
        {
            return Ok(evaluation);
        }
        let spec = &self.job.plan.spec;
        let (doing, order, views) = match split {
            Split::Val => ("validating", &self.job.data.val, 1),
            Split::Test => ("testing", &self.job.data.test, spec.augmentation.test_views()),
        };
        let (loader, batch) = (&self.loader, self.evaluation_batch());
        let order = self.own_of_split(order, batch);
        let epochs = self.job.plan.epochs();
        let (epoch, total) = (self.position.epoch, views * order.len());
        let observer = &mut *self.observer;
        evaluate_views(
            self.device,
            &self.net,
            &self.job.ranks,
            views,
            |view| loader.view(order, batch, view),
            |done| {
                observer.progress(Progress { doing, epoch, epochs, done, total, loss: None });
            },
        )
    }

    /// Images that are computed at a time where nothing trains.
    fn evaluation_batch(&self) -> usize {
        let piece = self.job.plan.phases.get(self.position.phase).map_or(usize::MAX, |phase| phase.micro_batch);
        self.job.plan.spec.data.batch.min(piece)
    }
}

/// Threads that read images for one of some ranks.
pub fn workers(spec: &Pipeline, ranks: &Ranks) -> usize {
    spec.data.workers.unwrap_or_else(|| ranks.threads())
}

/// Reads the images of a job.
fn loader(job: &Job<'_>) -> Loader {
    let spec = &job.plan.spec;
    let (image, augmentation) = (spec.data.image.clone(), spec.augmentation.clone());
    Loader::new(job.data.clone(), image, &job.plan.normalize, augmentation, spec.seed, job.workers)
}

/// What comes first when no head is fitted, or when it is.
fn first_stage(plan: &Plan) -> Stage {
    if plan.phases.is_empty() { Stage::Ending { reason: "the head is fitted".to_owned() } } else { Stage::PhaseBegins }
}

/// The phase at a position of a run.
///
/// # Errors
/// An internal one: stages of phases come only where there are some.
fn phase_at(plan: &Plan, place: usize) -> Result<&PhasePlan, TrainError> {
    plan.phases.get(place).ok_or(TrainError::NoPhase { place })
}

#[derive(Clone, Copy)]
enum Split {
    Val,
    Test,
}

/// Makes the targets of a spec's loss.
pub fn loss_targets(spec: &Pipeline, data: &Dataset) -> LossTargets {
    let classes = &data.facts.classes;
    let weights = spec.regularization.class_weights.as_ref();
    LossTargets {
        smoothing: spec.regularization.label_smoothing,
        weights: weights.map(|weights| weights.resolve(classes, &sampling::counts(data, spec))),
        soft: spec.augmentation.mixes(),
    }
}
