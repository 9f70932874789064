//! The loop: the fit of the head, phases, epochs, steps.

mod fit;

mod averages;
mod keep;

use super::average::{Average, Whose};
use super::checkpoint::Position;
use super::evaluate::{Evaluation, evaluate_views};
use super::events::{Event, EventLog};
use super::factors::Factors;
use super::not_finite::{self, NotFiniteAt};
use super::observer::{Observer, Progress};
use super::optimizer::State;
use super::penalties::Penalties;
use super::so_far::{Best, SoFar};
use super::step::{StepContext, step};
use super::summary::{Trained, largest_group, measured, rates};
use super::{RunDir, StopFlag, TrainError, announce, files, frozen, proof, reconstruct, sampling};
use crate::data::{BadImage, Dataset, Loader};
use crate::engine::device::empty_cache;
use crate::engine::{Kernels, Tensor};
use crate::metrics::{Confusion, per_class};
use crate::net::{Exit, Net, Params};
use crate::optim::Clock;
use crate::plan::{PhasePlan, Plan};
use crate::random::{Key, Purpose};
use crate::regularize::{EarlyStopping, LossTargets, Metric, Verdict, Watch};
use crate::spec::Pipeline;
use indexmap::IndexMap;
use std::time::Instant;

/// What a run is made of.
pub struct Job<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// The samples, those that cannot be read left out.
    pub data: Dataset,
    /// Images that cannot be read.
    pub bad: Vec<BadImage>,
    /// Where the run is kept.
    pub dir: &'a RunDir,
    /// Told by Ctrl-C.
    pub stop: StopFlag,
    /// Threads that read images.
    pub workers: usize,
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

/// How it goes on after an epoch.
enum Turn {
    GoOn,
    /// With the next phase, for this reason.
    NextPhase(String),
    EarlyStop(String),
    Interrupted,
}

/// Trains `net` as the plan says.
pub fn train<D: Kernels>(
    device: &D,
    net: Net<D>,
    job: Job<'_>,
    weights: String,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let mut run = Run::new(device, net, job, observer)?;
    match run.all(weights) {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            // The error itself matters more than a log that cannot be written either.
            let _ = run.record(&Event::RunFailed { reason: error.to_string(), step: run.position.step });
            Err(error)
        }
    }
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
    position: Position,
    log: EventLog,
    observer: &'a mut dyn Observer,
    started: Instant,
}

impl<'a, D: Kernels> Run<'a, D> {
    fn new(device: &'a D, net: Net<D>, job: Job<'a>, observer: &'a mut dyn Observer) -> Result<Self, TrainError> {
        let spec = &job.plan.spec;
        let path = job.dir.file("events.jsonl");
        let log = EventLog::open(&path).map_err(TrainError::file(&path))?;
        let loader = Loader::new(
            job.data.clone(),
            spec.data.image.clone(),
            &job.plan.normalize,
            spec.augmentation.clone(),
            spec.seed,
            job.workers,
        );
        Ok(Run {
            device,
            penalties: Penalties::new(job.plan, &net),
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
            position: Position { phase: 0, epoch_in_phase: 0, step_in_phase: 0, epoch: 0, step: 0 },
            log,
            observer,
            started: Instant::now(),
            job,
        })
    }

    fn record(&mut self, event: &Event) -> Result<(), TrainError> {
        let path = self.job.dir.file("events.jsonl");
        self.log.write(event).map_err(TrainError::file(&path))?;
        self.observer.event(event);
        Ok(())
    }

    fn all(&mut self, weights: String) -> Result<Outcome, TrainError> {
        let plan = self.job.plan;
        self.record(&announce::run_started(self.device, &self.job, weights))?;
        let mut reason = if plan.phases.is_empty() { "the head is fitted" } else { "all phases are done" }.to_owned();
        if let Some(head) = &plan.fitted
            && matches!(self.fit_head(head)?, Turn::Interrupted)
        {
            self.save_last()?;
            return Ok(Outcome::Interrupted);
        }
        for (number, phase) in plan.phases.iter().enumerate() {
            self.position = Position { phase: number, epoch_in_phase: 0, step_in_phase: 0, ..self.position.clone() };
            match self.phase(phase)? {
                Turn::GoOn | Turn::NextPhase(_) => {}
                Turn::EarlyStop(why) => {
                    reason = why;
                    break;
                }
                Turn::Interrupted => {
                    self.save_last()?;
                    return Ok(Outcome::Interrupted);
                }
            }
        }
        self.finish(reason)?;
        Ok(Outcome::Finished)
    }

    fn phase(&mut self, phase: &PhasePlan) -> Result<Turn, TrainError> {
        let trainable = phase.trainable(self.net.graph.params.len());
        self.net.params.want_grads(&trainable);
        self.net.graph.leave_by(phase.exit);
        self.optimizer.begin(phase);
        self.watch.waited = 0;
        self.so_far = SoFar::begin(self.position.epoch + 1);
        if let Some(average) = &mut self.average {
            average.begin(phase, &self.net);
        }
        empty_cache(self.device)?;
        let before = frozen::hash(&self.net, &phase.frozen);
        self.record(&announce::phase_started(&self.net, phase, &trainable, self.position.step, before.clone()))?;

        let mut turn = Turn::GoOn;
        while matches!(turn, Turn::GoOn) && self.so_far.history.len() < phase.epochs {
            turn = self.epoch(phase)?;
        }
        let restored_epoch = if matches!(turn, Turn::Interrupted) { None } else { self.restore_best()? };

        let after = frozen::hash(&self.net, &phase.frozen);
        if before != after {
            return Err(TrainError::FrozenChanged { phase: phase.name.clone(), before, after });
        }
        self.check_average(phase, &after)?;
        let reason = match &turn {
            Turn::GoOn => "it has no epochs".to_owned(),
            Turn::NextPhase(why) | Turn::EarlyStop(why) => why.clone(),
            Turn::Interrupted => "interrupted".to_owned(),
        };
        self.record(&Event::PhaseFinished {
            phase: phase.name.clone(),
            reason,
            step: self.position.step,
            restored_epoch,
            frozen_hash: after,
        })?;
        Ok(turn)
    }

    /// Goes back to the phase's best weights, where it restores them and they are not its last; says to
    /// which epoch.
    fn restore_best(&mut self) -> Result<Option<usize>, TrainError> {
        let Some(best) = self.so_far.better_than(self.position.epoch) else { return Ok(None) };
        self.net.params = Params::new(best.weights);
        if let Some(average) = &mut self.average {
            average.go_back();
        }
        self.save_last()?;
        Ok(Some(best.epoch))
    }

    fn epoch(&mut self, phase: &PhasePlan) -> Result<Turn, TrainError> {
        let started = Instant::now();
        let epoch = self.position.epoch + 1;
        let Some(trained) = self.train_epoch(phase, epoch)? else {
            return Ok(Turn::Interrupted);
        };
        let training_seconds = started.elapsed().as_secs_f64();
        self.position.epoch = epoch;
        self.position.epoch_in_phase += 1;

        let val = if self.job.data.val.is_empty() { None } else { Some(self.evaluate_split(Split::Val)?.scores) };
        let val_ema = self.average_of_epoch(phase)?;
        let (watched, whose) = averages::better(self.rule.metric, &trained, val.as_ref(), val_ema.as_ref());
        let verdict = match phase.exit {
            Exit::Output => self.watch.see(&self.rule, epoch, watched),
            // What an auxiliary head answers is not what the run is for.
            Exit::Auxiliary(_) => Verdict::Waited { epochs: 0 },
        };
        let improved = matches!(verdict, Verdict::Improved { .. });
        let measured = measured(&trained, val.as_ref());
        self.so_far.see(phase, self.rule.metric, epoch, measured, self.net.params.tensors());
        self.record(&Event::EpochFinished {
            phase: phase.name.clone(),
            epoch,
            step: self.position.step,
            lr: rates(phase, trained.factors),
            train_loss: trained.loss,
            train_accuracy: Some(trained.accuracy).filter(|_| !self.net.graph.reconstructs()),
            val,
            best_weights: val_ema.as_ref().filter(|_| improved).map(|_| whose),
            val_ema,
            largest_gradient: trained.largest_gradient,
            best: improved,
            images_per_second: trained.images as f64 / training_seconds,
            seconds: started.elapsed().as_secs_f64(),
        })?;
        self.save_last()?;
        if improved {
            self.keep_better(watched, whose)?;
        }
        // A phase that ends by what it waited for goes before the end of the whole run.
        let by_metric = self.so_far.ends_by_metric(phase);
        Ok(match (by_metric, verdict) {
            _ if self.job.stop.is_raised() => Turn::Interrupted,
            (Some(why), _) => Turn::NextPhase(why),
            (None, Verdict::Stop(why)) => Turn::EarlyStop(format!("stopped early: {why}")),
            (None, _) => self.so_far.epochs_are_done(phase).map_or(Turn::GoOn, Turn::NextPhase),
        })
    }

    /// One pass over the training split; `None` when interrupted.
    fn train_epoch(&mut self, phase: &PhasePlan, epoch: usize) -> Result<Option<Trained>, TrainError> {
        let plan = self.job.plan;
        let batch_size = plan.spec.data.batch;
        let order = files::epoch_order(
            &sampling::drawn(&self.job.data, &plan.spec, epoch as u64),
            plan.spec.seed,
            epoch as u64,
            batch_size,
        );
        let context = StepContext {
            device: self.device,
            phase,
            regularization: &plan.spec.regularization,
            targets: &self.targets,
            penalties: &self.penalties,
            key: Key::new(plan.spec.seed, Purpose::Layer).with(epoch as u64),
        };
        let steps_per_epoch = order.len().div_ceil(batch_size.max(1)) as u64;
        let steps = steps_per_epoch * phase.epochs as u64;
        let mut sums = Trained::default();
        let mut last_norms: Vec<f64> = Vec::new();
        for batch in self.loader.training(&order, batch_size, epoch as u64) {
            let batch = batch?;
            let clock = Clock { step: self.position.step_in_phase, steps, steps_per_epoch };
            let factors = Factors::of(phase, clock, &self.so_far.history);
            let report = step(&context, &mut self.net, &mut self.optimizer, &batch, factors, self.position.step)?;
            if !report.loss.is_finite() {
                let first = not_finite::first(&context, &self.net, &batch).unwrap_or(NotFiniteAt::Nowhere);
                return Err(TrainError::NotFinite {
                    loss: report.loss,
                    step: self.position.step + 1,
                    epoch,
                    phase: phase.name.clone(),
                    first: Box::new(first),
                    gradients: largest_group(phase, &last_norms),
                });
            }
            if let Some(average) = &mut self.average {
                average.step(phase, &self.net)?;
            }
            self.position.step += 1;
            self.position.step_in_phase += 1;
            if self.position.step == 1 {
                proof::after_first_step(self.job.dir, &self.net)?;
            }
            sums.add(&report, batch.labels.len());
            sums.factors = factors;
            last_norms = report.gradient_norms;
            self.observer.progress(Progress {
                doing: &phase.name,
                epoch,
                epochs: plan.epochs(),
                done: sums.images,
                total: order.len(),
                loss: Some(sums.loss / sums.images as f64),
            });
            if self.job.stop.is_raised() {
                return Ok(None);
            }
        }
        Ok(Some(sums.means()))
    }

    fn evaluate_split(&mut self, split: Split) -> Result<Evaluation, TrainError> {
        let spec = &self.job.plan.spec;
        let (doing, order, views) = match split {
            Split::Val => ("validating", &self.job.data.val, 1),
            Split::Test => ("testing", &self.job.data.test, spec.augmentation.test_views()),
        };
        let piece = self.job.plan.phases.get(self.position.phase).map_or(usize::MAX, |phase| phase.micro_batch);
        let (loader, batch) = (&self.loader, spec.data.batch.min(piece));
        let epochs = self.job.plan.epochs();
        let (epoch, total) = (self.position.epoch, views * order.len());
        let observer = &mut *self.observer;
        evaluate_views(
            self.device,
            &self.net,
            views,
            |view| loader.view(order, batch, view),
            |done| {
                observer.progress(Progress { doing, epoch, epochs, done, total, loss: None });
            },
        )
    }

    /// Tests the best weights and writes the results.
    fn finish(&mut self, reason: String) -> Result<(), TrainError> {
        self.net.graph.leave_by(Exit::Output);
        self.finish_average()?;
        let best_epoch = self.best.as_ref().map_or(self.position.epoch, |best| best.epoch);
        let last: Vec<Tensor<D>> = self.net.params.tensors().to_vec();
        if let Some(best) = self.best.take() {
            self.net.params = Params::new(best.weights);
        }
        let restore = self.job.plan.spec.regularization.early_stopping.as_ref().is_some_and(|rule| rule.restore_best);
        if restore && (best_epoch != self.position.epoch || self.best_whose != Whose::Raw) {
            self.save_last()?;
        }
        let test = if self.job.data.test.is_empty() { None } else { Some(self.evaluate_split(Split::Test)?) };
        if !restore {
            self.net.params = Params::new(last);
        }
        let classes = &self.job.data.facts.classes;
        let mut scores = IndexMap::new();
        if let Some(test) = test.as_ref().filter(|test| !test.errors.is_empty()) {
            reconstruct::write_results(self.job.dir, &self.job.data, test, best_epoch)?;
        } else if let Some(test) = &test {
            let confusion = Confusion::of(&test.answers);
            scores = classes.iter().cloned().zip(per_class::scores(&confusion)).collect();
            files::write_predictions(self.job.dir, &self.job.data, test)?;
            files::write_metrics(self.job.dir, test, best_epoch, classes)?;
            self.observer.tested(classes, &test.answers, &confusion);
        }
        self.record(&Event::RunFinished {
            reason,
            data: self.job.data.facts.description.clone(),
            fallback: self.job.data.facts.fallback,
            best_epoch,
            test_one_view: test.as_ref().and_then(|test| test.one_view.clone()),
            best_weights: self.average.as_ref().map(|_| self.best_whose),
            test: test.map(|test| test.scores),
            classes: scores,
            seconds: self.started.elapsed().as_secs_f64(),
        })
    }
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
        soft: !spec.augmentation.batch.is_empty(),
    }
}
