//! Regularizers that are no layers: one file each.

mod balanced;
pub mod class_weights;
pub mod clip_grad_norm;
pub mod clip_grad_value;
pub mod early_stopping;
pub mod ema;
pub mod focal_loss;
pub mod gradient_noise;
pub mod history;
pub mod l1;
pub mod l2;
pub mod l2_sp;
pub mod label_smoothing;
pub mod max_norm;
pub mod oversample;
pub mod swa;
pub mod targets;

pub use class_weights::ClassWeights;
pub use early_stopping::{EarlyStopping, Metric, Verdict, Watch};
pub use ema::Ema;
pub use focal_loss::FocalLoss;
pub use gradient_noise::GradientNoise;
pub use history::{History, Measured};
pub use l2_sp::L2Sp;
pub use max_norm::MaxNorm;
pub use oversample::Oversample;
pub use swa::Swa;
pub use targets::LossTargets;

use crate::engine::{self, Kernels, Tape, Tensor};
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps the net from overfitting, besides layers and augmentation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Regularization {
    /// Share of each target's probability that is spread evenly over all classes, in [0, 1)
    /// (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Stops when a metric no longer gets better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Gradients are scaled down so that their Euclidean norm over all that trains is at most this
    /// (Pascanu et al. 2013). As torch's `clip_grad_norm_`. Clipping by norm comes before clipping
    /// by value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    /// Every gradient value is cut to plus or minus this. As torch's `clip_grad_value_`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_value: Option<f64>,
    /// Weights of the classes in the loss: `balanced`, or a map from class to weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Samples that are classified well count less in the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_loss: Option<FocalLoss>,
    /// Weights are pulled to 0 by the same force each: this times the sign of a weight is added to its
    /// gradient. On weights alone, not on norms and biases, and on those that train; after clipping. The
    /// losses that are told are without penalties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1: Option<f64>,
    /// Weights are pulled to 0 in proportion: this times a weight is added to its gradient, as torch's
    /// `weight_decay` of `SGD` and `Adam`. It goes through the optimizer's moments, unlike the
    /// `weight_decay` of `adamw`. On what `l1` is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2: Option<f64>,
    /// Pretrained weights are pulled back to where they started, new ones to 0. On what `l1` is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2_sp: Option<L2Sp>,
    /// The norm of the weights into each output is bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<MaxNorm>,
    /// Noise in the gradients of all that trains, less and less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_noise: Option<GradientNoise>,
    /// A moving average of the weights over the steps. Either this or `swa`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<Ema>,
    /// The mean of the weights at the ends of epochs. Either this or `ema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swa: Option<Swa>,
}

impl Regularization {
    /// Notes every argument that is out of range. `at` is where this part stands in the spec. Class
    /// weights are checked on their own, against the data's classes.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        label_smoothing::check(self.label_smoothing, &at.key("label_smoothing"), problems);
        if let Some(early_stopping) = &self.early_stopping {
            early_stopping.check(&at.key("early_stopping"), problems);
        }
        if let Some(max_norm) = self.clip_grad_norm {
            clip_grad_norm::check(max_norm, &at.key("clip_grad_norm"), problems);
        }
        if let Some(limit) = self.clip_grad_value {
            clip_grad_value::check(limit, &at.key("clip_grad_value"), problems);
        }
        if let Some(focal_loss) = &self.focal_loss {
            focal_loss.check(&at.key("focal_loss"), problems);
        }
        self.check_penalties(at, problems);
        self.check_averages(at, problems);
    }

    fn check_penalties(&self, at: &Path, problems: &mut Problems) {
        if let Some(factor) = self.l1 {
            l1::check(factor, &at.key("l1"), problems);
        }
        if let Some(factor) = self.l2 {
            l2::check(factor, &at.key("l2"), problems);
        }
        if let Some(l2_sp) = &self.l2_sp {
            l2_sp.check(&at.key("l2_sp"), problems);
            if self.l2.is_some() {
                let message = "`l2` pulls to 0 what `l2_sp` pulls to its start";
                let problem = Problem::new(at.key("l2"), message).at_key();
                problems.push(problem.help("keep `l2_sp`; its `beta` is the L2 of new weights"));
            }
        }
        if let Some(max_norm) = &self.max_norm {
            max_norm.check(&at.key("max_norm"), problems);
        }
        if let Some(noise) = &self.gradient_noise {
            noise.check(&at.key("gradient_noise"), problems);
        }
    }

    fn check_averages(&self, at: &Path, problems: &mut Problems) {
        if let Some(ema) = &self.ema {
            ema.check(&at.key("ema"), problems);
        }
        if let Some(swa) = &self.swa {
            swa.check(&at.key("swa"), problems);
            if self.ema.is_some() {
                let message = "the weights are averaged twice: by `ema` and by `swa`";
                problems.push(Problem::new(at.key("swa"), message).at_key().help("keep one of them"));
            }
        }
    }

    /// How many copies of the net's weights it needs beside them.
    pub fn copies(&self) -> u64 {
        u64::from(self.ema.is_some() || self.swa.is_some()) + u64::from(self.l2_sp.is_some())
    }

    /// The loss of logits against targets, both (N, K), as [`LossTargets`] makes them.
    pub fn loss<D: Kernels>(
        &self,
        tape: &mut Tape<D>,
        logits: &Tensor<D>,
        targets: &Tensor<D>,
    ) -> engine::Result<Tensor<D>> {
        match &self.focal_loss {
            Some(focal_loss) => focal_loss.of(tape, logits, targets),
            None => D::cross_entropy(tape, logits, targets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_value_is_noted_at_its_key() {
        let yaml = "{ label_smoothing: 1.0, clip_grad_norm: 0, clip_grad_value: -1, \
                    early_stopping: { patience: 0, min_delta: -1 }, focal_loss: { gamma: -1, alpha: 0 }, \
                    l1: -1, l2: .inf, l2_sp: { alpha: -1, beta: -1 }, max_norm: { bound: 0, only: [] }, \
                    gradient_noise: { eta: 0, gamma: -1 }, ema: { decay: 1 }, swa: { from_epoch: 0, every: 0 } }";
        let regularization: Regularization = serde_yaml::from_str(yaml).unwrap();
        let mut problems = Problems::default();
        regularization.check(&Path::of("regularization"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        let expected = [
            "label_smoothing",
            "early_stopping.patience",
            "early_stopping.min_delta",
            "clip_grad_norm",
            "clip_grad_value",
            "focal_loss.gamma",
            "focal_loss.alpha",
            "l1",
            "l2",
            "l2_sp.alpha",
            "l2_sp.beta",
            "l2",
            "max_norm.bound",
            "max_norm.only",
            "gradient_noise.eta",
            "gradient_noise.gamma",
            "ema.decay",
            "swa.from_epoch",
            "swa.every",
            "swa",
        ];
        assert_eq!(paths, expected.map(|key| format!("regularization.{key}")));

        let mut problems = Problems::default();
        Regularization::default().check(&Path::of("regularization"), &mut problems);
        assert_eq!(problems, Problems::default());
    }

    #[test]
    fn copies_of_the_weights_are_counted() {
        let copies = |yaml: &str| serde_yaml::from_str::<Regularization>(yaml).unwrap().copies();
        assert_eq!(copies("{ l1: 1e-4, label_smoothing: 0.1 }"), 0);
        assert_eq!(copies("{ ema: {} }"), 1);
        assert_eq!(copies("{ swa: { from_epoch: 2 }, l2_sp: { alpha: 0.1 } }"), 2);
    }
}
