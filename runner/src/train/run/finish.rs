//! The end of a run: its best weights are restored, tested, and the results written.

use super::{Run, Split};
use crate::engine::{Kernels, Tensor};
use crate::metrics::{Confusion, per_class};
use crate::net::{Exit, Params};
use crate::train::average::Whose;
use crate::train::run_dir::remove;
use crate::train::state::{Owed, Stage};
use crate::train::{Event, TrainError, files, reconstruct};
use indexmap::IndexMap;

impl<D: Kernels> Run<'_, D> {
    /// All training is done.
    pub(super) fn end(&mut self, reason: String) -> Result<Option<Stage>, TrainError> {
        self.net.graph.leave_by(Exit::Output);
        self.stage = Stage::Restoring { reason };
        self.finish_average()?;
        Ok(Some(self.stage.clone()))
    }

    /// The run ends with its best weights, where the spec wants that.
    pub(super) fn restore(&mut self, reason: String) -> Result<Option<Stage>, TrainError> {
        let stage = Stage::Testing { reason };
        if self.restores_best() && (self.best_epoch() != self.position.epoch || self.best_whose != Whose::Raw) {
            self.put_best_in();
            self.stage = stage.clone();
            self.owed = Owed::default();
            self.save_last()?;
        }
        Ok(Some(stage))
    }

    fn restores_best(&self) -> bool {
        self.job.plan.spec.regularization.early_stopping.as_ref().is_some_and(|rule| rule.restore_best)
    }

    fn best_epoch(&self) -> usize {
        self.best.as_ref().map_or(self.position.epoch, |best| best.epoch)
    }

    /// Puts the best weights into the net. Auxiliary heads are not among them.
    fn put_best_in(&mut self) {
        let own = self.net.graph.own_nodes();
        let Some(best) = &self.best else { return };
        let params = self.net.graph.params.iter().enumerate().filter(|(_, param)| param.node < own);
        for ((id, _), weights) in params.zip(&best.weights) {
            self.net.params.set(id, weights.clone());
        }
    }

    /// Tests the best weights and writes the results.
    pub(super) fn test(&mut self, reason: String) -> Result<Option<Stage>, TrainError> {
        self.net.graph.leave_by(Exit::Output);
        let last: Vec<Tensor<D>> = self.net.params.tensors().to_vec();
        self.put_best_in();
        let test = if self.job.data.test.is_empty() { None } else { Some(self.evaluate_split(Split::Test)?) };
        if !self.restores_best() {
            self.net.params = Params::new(last);
        }
        let best_epoch = self.best_epoch();
        let classes = &self.job.data.facts.classes;
        let mut scores = IndexMap::new();
        let test = test.filter(|_| self.job.writes());
        if let Some(test) = test.as_ref().filter(|test| !test.errors.is_empty()) {
            reconstruct::write_results(self.job.dir, &self.job.data, test, best_epoch)?;
        } else if let Some(test) = &test {
            let confusion = Confusion::of(&test.answers);
            scores = classes.iter().cloned().zip(per_class::scores(&confusion)).collect();
            files::write_predictions(self.job.dir, &self.job.data, test)?;
            files::write_metrics(self.job.dir, test, best_epoch, classes)?;
            self.observer.tested(classes, &test.answers, &confusion);
        }
        if self.job.writes() {
            let path = self.job.dir.best_of_phase();
            remove(&path).map_err(TrainError::file(&path))?;
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
            seconds: self.seconds(),
        })?;
        Ok(Some(Stage::Done))
    }
}
