//! `linear_probe_then_fine_tune`.

use crate::spec::check::{POSITIVE, finite};
use crate::spec::draft::{Draft, Place};
use crate::spec::{LearningRate, Path, Phase, Problems, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The head alone to its best weights on the validation split, then all of the net from there with an
/// optimizer that begins anew (Kumar et al. 2022): features are distorted less than when a random head
/// trains with the rest.
///
/// `linear_probe_then_fine_tune: { probe_epochs: 10, probe_lr: 1e-2, epochs: 5, lr: 1e-4 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinearProbeThenFineTune {
    /// Epochs of the head alone.
    pub probe_epochs: usize,
    /// Learning rate of the head alone.
    pub probe_lr: f64,
    /// Epochs of all of the net.
    pub epochs: usize,
    /// Learning rates of all of the net.
    pub lr: LearningRate,
}

impl LinearProbeThenFineTune {
    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        limits::epochs(problems, at.key("probe_epochs"), self.probe_epochs);
        finite(problems, at.key("probe_lr"), self.probe_lr, POSITIVE, "the learning rate");
        limits::epochs(problems, at.key("epochs"), self.epochs);
        self.lr.check(&at.key("lr"), problems);
    }

    /// Two phases.
    pub fn drafts(&self, stages: &[&str], at: &Path) -> Vec<Draft> {
        let Some(head) = stages.last() else { return Vec::new() };
        let probe = Phase {
            restore_best: true,
            ..Phase::new("probe", self.probe_epochs, vec![(*head).to_owned()], LearningRate::all(self.probe_lr))
        };
        let train = super::names(stages);
        let all = Phase { reset_optimizer: true, ..Phase::new("fine_tune", self.epochs, train, self.lr.clone()) };
        let draft = |phase| Draft { phase, at: Place::scattered(at, at.clone(), Vec::new()) };
        [probe, all].map(draft).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_same;

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        assert_same(
            "linear_probe_then_fine_tune: { probe_epochs: 3, probe_lr: 0.01, epochs: 2, lr: { head: 1e-3, '*': 1e-4 } }",
            "
            phases:
              - { name: probe, epochs: 3, train: [head], lr: 0.01, restore_best: true }
              - name: fine_tune
                epochs: 2
                train: [stem, layer1, layer2, head]
                lr: { head: 1e-3, '*': 1e-4 }
                reset_optimizer: true
            ",
        );
    }
}
