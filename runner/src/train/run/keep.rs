//! The checkpoints that a run keeps.

use super::super::TrainError;
use super::super::average::{Average, Whose};
use super::super::checkpoint::{self, About};
use super::super::events::Event;
use super::super::so_far::Best;
use super::Run;
use crate::engine::Kernels;

impl<D: Kernels> Run<'_, D> {
    fn about(&self, watched: Option<f64>, weights: Whose) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            position: self.position.clone(),
            classes: self.job.data.facts.classes.clone(),
            watched,
            weights,
            average: None,
            history: self.so_far.history.clone(),
        }
    }

    pub(super) fn save_last(&mut self) -> Result<(), TrainError> {
        let about = About { average: self.average.as_ref().map(Average::state), ..self.about(None, Whose::Raw) };
        let (optimizer, average) = (Some(&self.optimizer), self.average.as_ref());
        checkpoint::write(&self.job.dir.last(), &self.net, optimizer, average, &about)?;
        self.saved("checkpoints/last.safetensors")
    }

    pub(super) fn keep_best(&mut self, watched: f64, whose: Whose) -> Result<(), TrainError> {
        let weights = self.net.params.tensors().to_vec();
        self.best = Some(Best { epoch: self.position.epoch, weights });
        self.best_whose = whose;
        checkpoint::write(&self.job.dir.best(), &self.net, None, None, &self.about(Some(watched), whose))?;
        self.saved("checkpoints/best.safetensors")
    }

    fn saved(&mut self, file: &str) -> Result<(), TrainError> {
        let (epoch, step) = (self.position.epoch, self.position.step);
        self.record(&Event::CheckpointSaved { file: file.to_owned(), epoch, step })
    }
}
