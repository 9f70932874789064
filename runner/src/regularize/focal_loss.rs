//! `focal_loss`.

use crate::engine::{Broadcast, Kernels, Result, Tape, Tensor};
use crate::spec::check::{NOT_NEGATIVE, POSITIVE, finite};
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Focal loss: samples that are classified well count less, so that many easy ones do not drown the
/// few hard ones (Lin et al. 2017). The loss of a sample of class y is `-(1 - p_y)^gamma * ln p_y`.
///
/// The form over classes, with softmax, as Keras's `CategoricalFocalCrossentropy`. With label smoothing
/// or mixed targets it is the sum over classes of target times `-(1 - p)^gamma * ln p`. The paper's
/// alpha, a weight a class, is `class_weights`. Validation and test losses stay plain cross-entropy.
///
/// `focal_loss: { gamma: 2 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FocalLoss {
    /// How much less easy samples count, from 0 (the plain cross-entropy).
    #[serde(default = "FocalLoss::default_gamma")]
    pub gamma: f64,
    /// What the whole loss is multiplied by, above 0. Keras's default is 0.25.
    #[serde(default = "FocalLoss::default_alpha")]
    pub alpha: f64,
}

impl FocalLoss {
    /// The paper's.
    fn default_gamma() -> f64 {
        2.0
    }

    fn default_alpha() -> f64 {
        1.0
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        finite(problems, at.key("gamma"), self.gamma, NOT_NEGATIVE, "the exponent of focal loss");
        finite(problems, at.key("alpha"), self.alpha, POSITIVE, "the factor of focal loss");
    }

    /// The loss of logits against targets, both (N, K), as [`super::LossTargets`] makes them.
    pub fn of<D: Kernels>(&self, tape: &mut Tape<D>, logits: &Tensor<D>, targets: &Tensor<D>) -> Result<Tensor<D>> {
        let factor = Tensor::from_vec(logits.device(), vec![self.alpha as f32], &[1])?;
        let all = targets.reshape(&[1, targets.len()])?;
        let targets = D::scale(&mut Tape::off(tape.kernels()), &all, &factor, Broadcast::Sample)?;
        D::focal_loss(tape, logits, &targets.reshape(logits.dims())?, self.gamma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Cpu, KernelSet};
    use crate::regularize::LossTargets;

    fn loss(focal: &FocalLoss, logits: &[f32], targets: &LossTargets) -> f64 {
        let tensor = |values: Vec<f32>| Tensor::from_vec(&Cpu::default(), values, &[2, 3]).unwrap();
        let targets = tensor(targets.matrix(&[1.0, 0.0, 0.0, 0.0, 0.0, 1.0], 3));
        let loss = focal.of(&mut Tape::off(KernelSet::Fast), &tensor(logits.to_vec()), &targets).unwrap();
        f64::from(loss.to_vec()[0])
    }

    const LOGITS: [f32; 6] = [2.0, 0.5, -1.0, 0.3, 0.2, 0.1];

    /// The probability of each row's class.
    fn right() -> [f64; 2] {
        let p = |row: &[f32], class: usize| {
            f64::from(row[class]).exp() / row.iter().map(|&z| f64::from(z).exp()).sum::<f64>()
        };
        [p(&LOGITS[..3], 0), p(&LOGITS[3..], 2)]
    }

    #[test]
    fn easy_samples_count_less() {
        let term = |p: f64, gamma: f64| -(1.0 - p).powf(gamma) * p.ln();
        let [easy, hard] = right();
        for (gamma, alpha) in [(0.0, 1.0), (2.0, 1.0), (2.0, 0.25)] {
            let found = loss(&FocalLoss { gamma, alpha }, &LOGITS, &LossTargets::plain());
            let expected = alpha * (term(easy, gamma) + term(hard, gamma)) / 2.0;
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
        assert!(term(easy, 2.0) / term(hard, 2.0) < 0.2 * term(easy, 0.0) / term(hard, 0.0));
    }

    #[test]
    fn it_goes_with_class_weights_and_label_smoothing() {
        let focal = FocalLoss { gamma: 2.0, alpha: 1.0 };
        let term = |p: f64| -(1.0 - p).powi(2) * p.ln();
        let [easy, hard] = right();
        let weighted = LossTargets { weights: Some(vec![1.0, 1.0, 3.0]), ..LossTargets::plain() };
        let expected = (term(easy) + 3.0 * term(hard)) / 4.0;
        assert!((loss(&focal, &LOGITS, &weighted) - expected).abs() < 1e-6);
        let smoothed = LossTargets { smoothing: 0.3, ..LossTargets::plain() };
        let all: f64 = LOGITS
            .chunks(3)
            .map(|row| {
                let sum: f64 = row.iter().map(|&z| f64::from(z).exp()).sum();
                row.iter().map(|&z| term(f64::from(z).exp() / sum)).sum::<f64>()
            })
            .sum();
        let expected = 0.35 * (term(easy) + term(hard)) + 0.05 * all;
        assert!((loss(&focal, &LOGITS, &smoothed) - expected).abs() < 1e-6);
    }

    #[test]
    fn defaults_are_the_papers() {
        let focal: FocalLoss = serde_yaml::from_str("{}").unwrap();
        assert_eq!(focal, FocalLoss { gamma: 2.0, alpha: 1.0 });
    }
}
