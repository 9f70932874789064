//! The part of a run that has to do with averages of the weights.

use super::super::average::Whose;
use super::super::state::Owed;
use super::super::{TrainError, frozen, pieces, statistics};
use super::{Run, Split};
use crate::data::Batch;
use crate::engine::Kernels;
use crate::metrics::Scores;
use crate::plan::PhasePlan;
use crate::random::{Key, Purpose};
use crate::regularize::Metric;
use crate::train::Event;
use crate::train::summary::{Trained, watched};
use std::sync::Arc;

/// The value of the watched metric, and whose weights gave it: the moving average's where they do better.
pub fn better(metric: Metric, trained: &Trained, val: Option<&Scores>, average: Option<&Scores>) -> (f64, Whose) {
    let raw = watched(metric, trained, val);
    match average.map(|scores| watched(metric, trained, Some(scores))) {
        Some(value) if metric.improves(value, raw, 0.0) => (value, Whose::Ema),
        _ => (raw, Whose::Raw),
    }
}

impl<D: Kernels> Run<'_, D> {
    /// An epoch was trained: the average takes what it takes of it. A moving one is evaluated.
    pub(super) fn average_of_epoch(&mut self, phase: &PhasePlan) -> Result<Option<Scores>, TrainError> {
        let Some(average) = &mut self.average else { return Ok(None) };
        average.epoch(phase, &self.net, self.position.epoch)?;
        if average.whose() != Whose::Ema || self.job.data.val.is_empty() {
            return Ok(None);
        }
        self.with_average(|run| run.evaluate_split(Split::Val)).map(|evaluation| Some(evaluation.scores))
    }

    /// Does something with the average in the place of the net's weights.
    fn with_average<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, TrainError>) -> Result<T, TrainError> {
        self.swap_average();
        let done = work(self);
        self.swap_average();
        done
    }

    fn swap_average(&mut self) {
        if let Some(average) = &mut self.average {
            average.swap(&mut self.net);
        }
    }

    /// Keeps the weights that gave the best value of the watched metric.
    pub(super) fn keep_better(&mut self, watched: f64, whose: Whose) -> Result<(), TrainError> {
        self.with_weights_of(whose, |run| run.keep_best(watched, whose))
    }

    /// Does something with the weights that are meant in the net.
    pub(super) fn with_weights_of<T>(
        &mut self,
        whose: Whose,
        work: impl FnOnce(&mut Self) -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        match whose {
            Whose::Raw => work(self),
            Whose::Ema | Whose::Swa => self.with_average(work),
        }
    }

    /// Frozen tensors are in the average as they are in the net, of which `hash` is of those frozen in the
    /// phase.
    pub(super) fn check_average(&mut self, phase: &PhasePlan, hash: &str) -> Result<(), TrainError> {
        let Some(average) = &mut self.average else { return Ok(()) };
        let after = average.frozen_hash(phase, &mut self.net)?;
        if after == hash {
            return Ok(());
        }
        Err(TrainError::FrozenChanged { phase: phase.name.clone(), before: hash.to_owned(), after })
    }

    /// All epochs are done: the statistics of an average over epochs are taken anew, and it is held
    /// against the best weights.
    pub(super) fn finish_average(&mut self) -> Result<(), TrainError> {
        let epochs = match &self.average {
            Some(average) if average.whose() == Whose::Swa && average.taken() > 0 => average.taken(),
            _ => return Ok(()),
        };
        let plan = Arc::clone(&self.job.plan);
        let Some(phase) = plan.phases.get(self.position.phase) else { return Ok(()) };
        let val = self.with_average(|run| {
            run.take_statistics(phase)?;
            if run.job.data.val.is_empty() { Ok(None) } else { run.evaluate_split(Split::Val).map(Some) }
        })?;
        let hash = frozen::hash(&self.net, &phase.frozen)?;
        self.check_average(phase, &hash)?;
        let val = val.map(|evaluation| evaluation.scores);
        let value = val.as_ref().map(|val| watched(self.rule.metric, &Trained::default(), Some(val)));
        let value = value.filter(|_| self.rule.metric != Metric::TrainLoss);
        let before = self.watch.best.map(|best| best.value);
        let best = match (value, before) {
            (Some(value), Some(before)) => self.rule.metric.improves(value, before, 0.0),
            (Some(value), None) => value.is_finite(),
            (None, _) => false,
        };
        self.record(&Event::AverageFinished { epochs, val, best })?;
        self.owed = Owed { best: value.filter(|_| best).map(|value| (value, Whose::Swa)), best_of_phase: false };
        self.save_last()?;
        self.pay_what_is_owed()
    }

    /// Takes the running statistics of the net's norms anew, over an epoch that was not trained on.
    fn take_statistics(&mut self, phase: &PhasePlan) -> Result<(), TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let spec = &plan.spec;
        let epoch = self.position.epoch as u64 + 1;
        let (order, size, own) = (self.order(), self.job.step_rows(), self.own(usize::MAX));
        let key = Key::new(spec.seed, Purpose::Layer).with(epoch);
        let batches = self.loader.training_own(&order, size, epoch, 0, &|rows| own.read(rows));
        let rows = order.chunks(size.max(1)).map(<[usize]>::len);
        let batches = batches.zip(rows).map(|(batch, rows)| {
            let cut = |batch: Batch| own.cut(rows).map_or(batch.clone(), |own| pieces::cut(&batch, own.start, own.end));
            (batch.map(cut), own.shared(rows))
        });
        statistics::take_anew(self.device, &mut self.net, &phase.norms, batches, key)
    }
}
