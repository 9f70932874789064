//! `fine_tune`.

use crate::optim::Scheduler;
use crate::optim::schedule::OneCycle;
use crate::spec::check::{POSITIVE, finite};
use crate::spec::draft::{Draft, Place};
use crate::spec::learning_rate::{Discriminative, LearningRate};
use crate::spec::{Path, Phase, Problems, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The head alone, then all of the net with discriminative rates, as fastai's `fine_tune`: one cycle of
/// the learning rate in each, unless the schedule has a `scheduler`. (fastai also trains batch norms
/// while the rest is frozen; here what is frozen stays as it is.)
///
/// `fine_tune: { frozen_epochs: 1, epochs: 5, lr: 2e-3 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FineTune {
    /// Epochs of the head alone.
    #[serde(default = "FineTune::one")]
    pub frozen_epochs: usize,
    /// Epochs of all of the net.
    pub epochs: usize,
    /// Learning rate of the head alone; with all of the net, the head has half of it.
    pub lr: f64,
    /// With all of the net, the lowest stage has the head's rate divided by this.
    #[serde(default = "FineTune::hundred")]
    pub lr_mult: f64,
}

impl FineTune {
    fn one() -> usize {
        1
    }

    fn hundred() -> f64 {
        100.0
    }

    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        limits::epochs(problems, at.key("frozen_epochs"), self.frozen_epochs);
        limits::epochs(problems, at.key("epochs"), self.epochs);
        finite(problems, at.key("lr"), self.lr, POSITIVE, "the learning rate");
        finite(problems, at.key("lr_mult"), self.lr_mult, POSITIVE, "the divisor");
    }

    /// Two phases.
    pub fn drafts(&self, stages: &[&str], at: &Path) -> Vec<Draft> {
        let Some(head) = stages.last() else { return Vec::new() };
        let cycle = |rise, start| Some(Scheduler::OneCycle(OneCycle { rise, start, end: 1e-5 }));
        let mut frozen = Phase::new("frozen", self.frozen_epochs, vec![(*head).to_owned()], LearningRate::all(self.lr));
        frozen.scheduler = cycle(0.99, 1.0 / 25.0);
        let top = self.lr / 2.0;
        let rates = LearningRate::Discriminative(Discriminative { top, bottom: top / self.lr_mult });
        let mut all = Phase::new("all", self.epochs, vec!["*".to_owned()], rates);
        all.scheduler = cycle(0.3, 1.0 / 5.0);
        let draft = |phase| Draft { phase, at: Place::scattered(at, at.clone(), Vec::new()) };
        [frozen, all].map(draft).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, phases};
    use crate::optim::Scheduler;

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        assert_same(
            "fine_tune: { epochs: 5, lr: 2e-3 }",
            "
            phases:
              - { name: frozen, epochs: 1, train: [head], lr: 2e-3, scheduler: { one_cycle: { rise: 0.99, start: 0.04, end: 1e-5 } } }
              - name: all
                epochs: 5
                train: ['*']
                lr: { discriminative: { top: 1e-3, bottom: 1e-5 } }
                scheduler: { one_cycle: { rise: 0.3, start: 0.2, end: 1e-5 } }
            ",
        );
    }

    #[test]
    fn the_schedules_own_scheduler_comes_first() {
        let (phases, _) = phases("{ scheduler: cosine, fine_tune: { frozen_epochs: 2, epochs: 5, lr: 2e-3 } }");
        assert!(phases.iter().all(|phase| matches!(phase.scheduler, Some(Scheduler::Cosine(_)))));
    }
}
