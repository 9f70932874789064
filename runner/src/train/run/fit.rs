//! Fits the head before the phases: features of the training images, then a solver to convergence.

use super::{Progress, Run, Split, first_stage};
use crate::engine::{Kernels, Tensor};
use crate::heads::{LinearMap, Samples, Solution};
use crate::metrics::{Answers, Scores};
use crate::plan::FittedHead;
use crate::random::{Key, Purpose};
use crate::regularize::Verdict;
use crate::train::average::Whose;
use crate::train::features::{Features, extract};
use crate::train::state::{Owed, Stage};
use crate::train::summary::{Trained, watched};
use crate::train::{Event, TrainError, frozen, sampling};
use std::sync::Arc;
use std::time::Instant;

impl<D: Kernels> Run<'_, D> {
    /// Fits the head on the training images as they are. All else of the net stays bit-identical. `None`
    /// when interrupted.
    pub(super) fn fit(&mut self) -> Result<Option<Stage>, TrainError> {
        let plan = Arc::clone(&self.job.plan);
        let next = first_stage(&plan);
        let Some(head) = &plan.fitted else { return Ok(Some(next)) };
        self.every_class_has_images()?;
        let still = head.frozen(&self.net.graph);
        let before = frozen::hash(&self.net, &still)?;
        let features = self.extract(head)?;
        if self.job.ranks.any(features.is_none())? {
            return Ok(None);
        }
        let Some(features) = features else { return Ok(None) };
        let started = Instant::now();
        let labels = features.labels.clone();
        let solution = head.how.fit(self.samples(head, features), Key::new(self.job.plan.spec.seed, Purpose::Fit));
        let seconds = started.elapsed().as_secs_f64();
        self.put_in(head, &solution.map)?;
        let after = frozen::hash(&self.net, &still)?;
        if before != after {
            let phase = head.how.name().to_owned();
            return Err(TrainError::FrozenChanged { phase, before, after });
        }
        self.stage = next.clone();
        self.judge_fit(&solution, &labels, seconds, after)?;
        Ok(if self.is_stopped()? { None } else { Some(next) })
    }

    fn every_class_has_images(&self) -> Result<(), TrainError> {
        let counts = sampling::counts(&self.job.data, &self.job.plan.spec);
        let classes = self.job.data.facts.classes.iter().zip(counts);
        let without: Vec<&str> = classes.filter(|(_, count)| *count == 0).map(|(class, _)| class.as_str()).collect();
        if without.is_empty() { Ok(()) } else { Err(TrainError::NoImagesOf { classes: without.join(", ") }) }
    }

    /// The features of the training images; `None` when interrupted.
    fn extract(&mut self, head: &FittedHead) -> Result<Option<Features>, TrainError> {
        let started = Instant::now();
        let (epochs, total) = (self.job.plan.epochs(), self.job.data.train.len());
        let batches = self.loader.evaluation(&self.job.data.train, self.job.plan.spec.data.batch);
        let (observer, stop) = (&mut *self.observer, &self.job.stop);
        let features = extract(self.device, &self.net, head.node, batches, |done| {
            observer.progress(Progress { doing: "features", epoch: 0, epochs, done, total, loss: None });
            !stop.is_raised()
        })?;
        if features.is_some() {
            let seconds = started.elapsed().as_secs_f64();
            self.record(&Event::FeaturesExtracted {
                head: head.how.to_string(),
                images: total,
                width: head.width,
                images_per_second: total as f64 / seconds,
                seconds,
            })?;
        }
        Ok(features)
    }

    fn samples(&self, head: &FittedHead, features: Features) -> Samples {
        let weight = |&label: &usize| {
            let weights = self.targets.weights.as_ref();
            weights.and_then(|weights| weights.get(label)).map_or(1.0, |&weight| f64::from(weight))
        };
        Samples {
            weights: features.labels.iter().map(weight).collect(),
            values: features.values,
            width: head.width,
            labels: features.labels,
            classes: self.job.data.facts.classes.len(),
        }
    }

    fn put_in(&mut self, head: &FittedHead, map: &LinearMap) -> Result<(), TrainError> {
        let bias: Vec<f32> = map.bias.iter().map(|&bias| bias as f32).collect();
        for (param, values) in [(head.weight, map.layer_weights()), (head.bias, bias)] {
            let dims = self.net.graph.params[param].def.dims.clone();
            self.net.params.set(param, Tensor::from_vec(self.device, values, &dims)?);
        }
        Ok(())
    }

    /// Validates the fitted head, records it, and keeps it as the best weights so far: those of epoch 0.
    fn judge_fit(
        &mut self,
        solution: &Solution,
        labels: &[usize],
        seconds: f64,
        frozen_hash: String,
    ) -> Result<(), TrainError> {
        let mut answers = Answers::new(self.job.data.facts.classes.len());
        answers.push(labels, &solution.outputs);
        let train = Scores::of(&answers);
        let val = if self.job.data.val.is_empty() { None } else { Some(self.evaluate_split(Split::Val)?.scores) };
        let train_accuracy = train.accuracy.unwrap_or_default();
        let trained = Trained { loss: train.loss, accuracy: train_accuracy, ..Trained::default() };
        let watched = watched(self.rule.metric, &trained, val.as_ref());
        let improved = matches!(self.watch.see(&self.rule, 0, watched), Verdict::Improved { .. });
        self.record(&Event::HeadFitted {
            objective: solution.objective,
            iterations: solution.iterations,
            converged: solution.converged,
            train_loss: train.loss,
            train_accuracy,
            val,
            frozen_hash,
            seconds,
        })?;
        self.owed = Owed { best: improved.then_some((watched, Whose::Raw)), best_of_phase: false };
        self.save_last()?;
        self.pay_what_is_owed()
    }
}
