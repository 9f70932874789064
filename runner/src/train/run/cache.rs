//! The part of a run that has to do with kept features.

use super::{Job, Run};
use crate::data::{BadImage, Batch};
use crate::engine::Kernels;
use crate::train::TrainError;
use crate::train::cache::{Cache, Computes, evaluated};
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::observer::Progress;
use std::sync::Arc;

/// The batches of an epoch, with their images or without.
pub(super) type Batches = Box<dyn Iterator<Item = Result<Batch, BadImage>>>;

impl<D: Kernels> Run<'_, D> {
    /// Opens what the phase keeps. What the phase before kept is brought on.
    pub(super) fn open_cache(&mut self) -> Result<(), TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let Job { data, features, .. } = &self.job;
        let phases = plan.phases.get(self.position.phase..).unwrap_or_default();
        let opened = Cache::open((self.device, &self.net), &plan, phases, data, features, self.cache.take());
        let Some(mut cache) = opened else { return Ok(()) };
        let all = cache.all(&self.job.data);
        let (with, mut progress) = self.computing();
        cache.bring_on(&with, &all, &mut progress)?;
        drop(progress);
        self.cache = Some(cache);
        Ok(())
    }

    /// The batches of an epoch, from the position on: without their images where what the prefix makes of
    /// them is kept. `None` when interrupted.
    pub(super) fn batches(&mut self, order: &[usize]) -> Result<Option<Batches>, TrainError> {
        let (size, first) = (self.job.plan.spec.data.batch, self.position.step_in_epoch);
        let epoch = self.position.epoch + 1;
        let Some(mut cache) = self.cache.take_if(|cache| cache.trains_on_kept()) else {
            return Ok(Some(self.loader.training_from(order, size, epoch as u64, first)));
        };
        let rows = cache.training(order, epoch);
        let stop = self.job.stop.clone();
        let (with, mut progress) = self.computing();
        let filled = cache.fill(&with, &rows, |done, total| {
            progress(done, total);
            !stop.is_raised()
        });
        drop(progress);
        self.cache = Some(cache);
        Ok(filled?.then(|| -> Batches { Box::new(self.loader.bare(order, size, first).map(Ok)) }))
    }

    /// The batch with what is kept of its images; itself where it has them.
    pub(super) fn completed(&mut self, batch: Batch) -> Result<Batch, TrainError> {
        let epoch = self.position.epoch + 1;
        let Some(mut cache) = self.cache.take_if(|_| batch.images.is_empty()) else { return Ok(batch) };
        let (with, _) = self.computing();
        let batch = cache.complete(&with, batch, Some(epoch));
        self.cache = Some(cache);
        batch
    }

    /// Evaluates the validation split by what is kept of its images; `None` where nothing is.
    pub(super) fn evaluate_kept(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let Some(mut cache) = self.cache.take() else { return Ok(None) };
        let evaluation = self.evaluate_by(&mut cache);
        self.cache = Some(cache);
        evaluation.map(Some)
    }

    fn evaluate_by(&mut self, cache: &mut Cache) -> Result<Evaluation, TrainError> {
        let val = self.job.data.val.clone();
        let rows: Vec<_> = evaluated(&val).collect();
        let (with, mut progress) = self.computing();
        cache.fill(&with, &rows, |done, total| {
            progress(done, total);
            true
        })?;
        let batches = with.loader.bare(&val, with.batch, 0).map(|bare| cache.complete(&with, bare, None));
        evaluate(with.device, with.net, batches, |_| ())
    }

    /// What features are computed with, and what is told how far that is.
    fn computing(&mut self) -> (Computes<'_, D>, impl FnMut(usize, usize)) {
        let (epoch, epochs, batch) = (self.position.epoch + 1, self.job.plan.epochs(), self.evaluation_batch());
        let observer = &mut *self.observer;
        let with = Computes { device: self.device, net: &self.net, loader: &self.loader, batch };
        let told = move |done, total| Progress { doing: "features", epoch, epochs, done, total, loss: None };
        (with, move |done, total| observer.progress(told(done, total)))
    }
}
