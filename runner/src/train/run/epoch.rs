//! Epochs: the steps, the validation, and what follows from it.

use super::{Run, Split, averages, phase_at};
use crate::engine::Kernels;
use crate::net::Exit;
use crate::optim::Clock;
use crate::plan::memory::Needs;
use crate::plan::{PhasePlan, budget};
use crate::random::{Key, Purpose};
use crate::regularize::Verdict;
use crate::train::ahead::Ahead;
use crate::train::factors::Factors;
use crate::train::mix;
use crate::train::not_finite::{self, NotFiniteAt};
use crate::train::observer::Progress;
use crate::train::state::{EpochState, Owed, Stage};
use crate::train::step::{StepContext, StepReport, step_ahead};
use crate::train::summary::{Trained, largest_group, measured, rates};
use crate::train::{Event, TrainError, files, pieces, proof, sampling};
use std::sync::Arc;
use std::time::Instant;

impl<D: Kernels> Run<'_, D> {
    /// Trains an epoch, or what is left of it; `None` when interrupted.
    pub(super) fn epoch(&mut self) -> Result<Option<Stage>, TrainError> {
        let (started, images_before) = (Instant::now(), self.of_epoch.sums.images);
        if !self.train_epoch()? {
            return Ok(None);
        }
        let plan = Arc::clone(&self.job.plan);
        let phase = phase_at(&plan, self.position.phase)?;
        let training_seconds = started.elapsed().as_secs_f64();
        let trained = std::mem::take(&mut self.of_epoch).sums.means();
        let images = trained.images - images_before;
        self.position.epoch += 1;
        self.position.epoch_in_phase += 1;
        self.position.step_in_epoch = 0;
        let stage = self.judge(phase, &trained, images as f64 / training_seconds, started)?;
        if self.is_stopped()? {
            self.stage = stage;
            if self.saved.1 != self.position.step {
                self.save_last()?;
            }
            return Ok(None);
        }
        Ok(Some(stage))
    }

    /// Validates what an epoch came to, keeps it, and says what comes next.
    fn judge(
        &mut self,
        phase: &PhasePlan,
        trained: &Trained,
        images_per_second: f64,
        started: Instant,
    ) -> Result<Stage, TrainError> {
        let epoch = self.position.epoch;
        self.agree_on_weights()?;
        let val = if self.job.data.val.is_empty() { None } else { Some(self.evaluate_split(Split::Val)?.scores) };
        let val_ema = self.average_of_epoch(phase)?;
        let (watched, whose) = averages::better(self.rule.metric, trained, val.as_ref(), val_ema.as_ref());
        let verdict = match phase.exit {
            Exit::Output => self.watch.see(&self.rule, epoch, watched),
            // What an auxiliary head answers is not what the run is for.
            Exit::Auxiliary(_) => Verdict::Waited { epochs: 0 },
        };
        let improved = matches!(verdict, Verdict::Improved { .. });
        let measured = measured(trained, val.as_ref());
        let best_of_phase = self.so_far.see(phase, self.rule.metric, epoch, measured, self.net.params.tensors());
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
            images_per_second,
            seconds: started.elapsed().as_secs_f64(),
        })?;
        let stage = self.after_epoch(phase, verdict);
        self.job.ranks.agree("what comes next", &format!("{stage:?} {improved} {best_of_phase}"))?;
        self.stage = stage.clone();
        self.owed = Owed { best: improved.then_some((watched, whose)), best_of_phase };
        self.save_epoch(&stage)?;
        Ok(stage)
    }

    /// What follows an epoch. A phase that ends by what it waited for goes before the end of the whole run.
    fn after_epoch(&self, phase: &PhasePlan, verdict: Verdict) -> Stage {
        match (self.so_far.ends_by_metric(phase), verdict) {
            (Some(reason), _) => Stage::PhaseEnds { reason, and_run: false },
            (None, Verdict::Stop(why)) => Stage::PhaseEnds { reason: format!("stopped early: {why}"), and_run: true },
            (None, _) if let Some(why) = self.pending.as_ref().and_then(|pending| pending.course.ends.clone()) => {
                Stage::PhaseEnds { reason: why, and_run: false }
            }
            (None, _) => match self.so_far.epochs_are_done(phase) {
                Some(reason) => Stage::PhaseEnds { reason, and_run: false },
                None => Stage::Epoch,
            },
        }
    }

    /// The samples of the epoch after those that are done, in its order.
    pub(super) fn order(&self) -> Vec<usize> {
        let (spec, epoch) = (&self.job.plan.spec, self.position.epoch as u64 + 1);
        files::epoch_order(&sampling::drawn(&self.job.data, spec, epoch), spec.seed, epoch, self.job.step_rows())
    }

    /// The steps of an epoch from the position on; false when interrupted, with the position saved.
    fn train_epoch(&mut self) -> Result<bool, TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let epoch = self.position.epoch + 1;
        let size = self.job.step_rows();
        let order = self.order();
        let steps_per_epoch = order.len().div_ceil(size.max(1)) as u64;
        self.steps_in_epoch = steps_per_epoch as usize;
        let own = self.own(phase_at(&plan, self.position.phase)?.micro_batch);
        let Some(mut batches) = self.batches(&order, &own)? else {
            self.save_last()?;
            return Ok(false);
        };
        let mut ahead = Ahead::to(self.device);
        while let Some(batch) = batches.next() {
            let batch = self.completed(batch?)?;
            if !self.is_between_epochs() {
                self.look_at_spec()?;
            }
            // Numbers may be others than in the step before.
            let plan = Arc::clone(&self.job.plan);
            let phase = phase_at(&plan, self.position.phase)?;
            let clock = Clock {
                step: self.position.step_in_phase,
                steps: steps_per_epoch * phase.epochs as u64,
                steps_per_epoch,
            };
            let factors = Factors::of(phase, clock, self.so_far.history());
            let place = self.position.step_in_epoch;
            let rows = size.min(order.len().saturating_sub(place * size));
            let context = StepContext {
                device: self.device,
                phase,
                regularization: &plan.spec.regularization,
                targets: &self.targets,
                penalties: &self.penalties,
                key: Key::new(plan.spec.seed, Purpose::Layer).with(epoch as u64),
                shared: own.shared(rows),
            };
            let batch = mix::vary(self.device, &self.net, (&plan, phase), batch, epoch as u64, place as u64)?;
            let batch = match own.cut(rows) {
                Some(own) => pieces::cut(&batch, own.start, own.end),
                None => batch,
            };
            // What is varied here is not what was read.
            let as_read = !mix::varies(&plan);
            if !as_read {
                ahead.forget();
            }
            let next = if ahead.is_on() && as_read { own.next(&mut *batches, phase.micro_batch) } else { None };
            let (net, optimizer) = (&mut self.net, &mut self.optimizer);
            let report = step_ahead(&context, net, optimizer, &batch, factors, self.position.step, (&mut ahead, next));
            let report = report.map_err(|error| self.in_phase(phase, error))?;
            if !report.loss.is_finite() {
                let first = not_finite::first(&context, &self.net, &batch).unwrap_or(NotFiniteAt::Nowhere);
                let found = self.job.ranks.collect(&first)?.into_iter().find(|place| *place != NotFiniteAt::Nowhere);
                let first = found.unwrap_or(first);
                return Err(self.not_finite(phase, &report, first));
            }
            if let Some(average) = &mut self.average {
                average.step(phase, &self.net)?;
            }
            self.stepped(report, rows, factors)?;
            let sums = &self.of_epoch.sums;
            let (done, loss) = (sums.images, Some(sums.loss / sums.images as f64));
            let (epochs, total) = (plan.epochs(), order.len());
            self.observer.progress(Progress { doing: &phase.name, epoch, epochs, done, total, loss });
            if self.is_stopped()? {
                self.save_last()?;
                return Ok(false);
            }
            if done < total {
                self.save_if_due()?;
            }
        }
        // What is saved in the last step may still lengthen the phase.
        self.look_at_spec()?;
        Ok(true)
    }

    /// A step was taken over so many images.
    fn stepped(&mut self, report: StepReport, images: usize, factors: Factors) -> Result<(), TrainError> {
        self.position.step += 1;
        self.position.step_in_phase += 1;
        self.position.step_in_epoch += 1;
        if self.position.step == 1 && self.job.writes() {
            proof::after_first_step(self.job.dir, &self.net)?;
        }
        let EpochState { sums, last_norms } = &mut self.of_epoch;
        sums.add(&report, images);
        sums.factors = factors;
        *last_norms = report.gradient_norms;
        Ok(())
    }

    /// Says which phase it was that the device has no memory for, and what would fit.
    fn in_phase(&self, phase: &PhasePlan, error: TrainError) -> TrainError {
        match (error, self.device.own_memory()) {
            (TrainError::Engine(error), Some([own, free])) if error.is_out_of_memory() => {
                let piece = phase.micro_batch;
                let needs = Needs::of(&self.net.graph, phase, &self.job.plan.spec);
                let fits = budget::largest(piece / 2, |piece| needs.in_pieces(piece).on_device() <= own);
                TrainError::OutOfMemory { phase: phase.name.clone(), piece, own, free, fits, error }
            }
            (error, _) => error,
        }
    }

    fn not_finite(&self, phase: &PhasePlan, report: &StepReport, first: NotFiniteAt) -> TrainError {
        TrainError::NotFinite {
            loss: report.loss,
            step: self.position.step + 1,
            epoch: self.position.epoch + 1,
            phase: phase.name.clone(),
            first: Box::new(first),
            gradients: largest_group(phase, &self.of_epoch.last_norms),
        }
    }
}
