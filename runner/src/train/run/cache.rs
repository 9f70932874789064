//! The part of a run that has to do with kept features.

use super::together::Own;
use super::{Job, Run};
use crate::data::loader::Upcoming;
use crate::data::{BadImage, Batch};
use crate::engine::Kernels;
use crate::train::TrainError;
use crate::train::cache::{Cache, Computes, evaluated};
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::observer::Progress;
use std::sync::Arc;

/// The batches of an epoch, with their images or without.
pub(super) type Batches = Box<dyn Upcoming>;

/// Batches without images: nothing of them can be sent before what is kept of the images has been read.
struct Bare<I>(I);

impl<I: Iterator<Item = Batch>> Iterator for Bare<I> {
    type Item = Result<Batch, BadImage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Ok)
    }
}

impl<I: Iterator<Item = Batch>> Upcoming for Bare<I> {
    fn look(&mut self) -> Option<&Batch> {
        None
    }
}

impl<D: Kernels> Run<'_, D> {
    /// Opens what the phase keeps. What the phase before kept is brought on.
    pub(super) fn open_cache(&mut self) -> Result<(), TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let Job { data, features, .. } = &self.job;
        let phases = plan.phases.get(self.position.phase..).unwrap_or_default();
        let (before, net) = (self.cache.take(), (self.device, &self.net));
        // Of the files of features the first gets those that stay.
        let open = || Ok::<_, TrainError>(Cache::open(net, &plan, phases, data, features, before)?);
        let opened = self.job.ranks.first_then_others(open)?;
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
    pub(super) fn batches(&mut self, order: &[usize], own: &Own) -> Result<Option<Batches>, TrainError> {
        let (size, first) = (self.job.step_rows(), self.position.step_in_epoch);
        let epoch = self.position.epoch + 1;
        let Some(mut cache) = self.cache.take_if(|cache| cache.trains_on_kept()) else {
            return Ok(Some(self.loader.training_own(order, size, epoch as u64, first, &|rows| own.read(rows))));
        };
        let rows = cache.training(&own.samples(order, size), epoch);
        let stop = self.job.stop.clone();
        let (with, mut progress) = self.computing();
        let filled = cache.fill(&with, &rows, |done, total| {
            progress(done, total);
            !stop.is_raised()
        });
        drop(progress);
        self.cache = Some(cache);
        if self.job.ranks.any(!filled?)? {
            return Ok(None);
        }
        Ok(Some(Box::new(Bare(self.loader.bare_own(order, size, first, &|rows| own.read(rows))))))
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
        let val = self.own_of_split(&self.job.data.val, self.evaluation_batch()).to_vec();
        let rows: Vec<_> = evaluated(&val).collect();
        let (with, mut progress) = self.computing();
        cache.fill(&with, &rows, |done, total| {
            progress(done, total);
            true
        })?;
        let batches = with.loader.bare(&val, with.batch, 0).map(|bare| cache.complete(&with, bare, None));
        let evaluation = evaluate(with.device, with.net, batches, |_| ());
        drop(progress);
        Ok(evaluation?.joined(&self.job.ranks)?)
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
