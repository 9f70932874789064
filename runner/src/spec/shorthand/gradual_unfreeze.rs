//! `gradual_unfreeze`.

use super::names;
use crate::spec::check::{POSITIVE, finite, stages as check_stages};
use crate::spec::draft::{Draft, Place};
use crate::spec::{LearningRate, Path, PerGroup, Phase, Problems, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One more stage trains every few epochs, from the head down (Howard and Ruder 2018).
///
/// `gradual_unfreeze: { every: 2, stages: [head, layer4, layer3], lr: 1e-3 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GradualUnfreeze {
    /// Epochs from one stage to the next.
    pub every: usize,
    /// Where it begins: at the head, and from there towards the image.
    #[serde(default)]
    pub from: From,
    /// The stages, in the order in which they begin to train. By default all of the net, from the head
    /// down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<String>>,
    /// Learning rate of the first stage.
    pub lr: f64,
    /// Each further stage has its predecessor's learning rate divided by this.
    #[serde(default = "GradualUnfreeze::default_decay")]
    pub decay: f64,
}

/// Where gradual unfreezing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// At the head.
    #[default]
    Head,
}

impl GradualUnfreeze {
    fn default_decay() -> f64 {
        2.6
    }

    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        limits::epochs(problems, at.key("every"), self.every);
        if let Some(stages) = &self.stages {
            check_stages(problems, &at.key("stages"), stages, "nothing is listed that could train");
        }
        finite(problems, at.key("lr"), self.lr, POSITIVE, "the learning rate");
        finite(problems, at.key("decay"), self.decay, POSITIVE, "the decay");
    }

    /// Phase `i` trains the first `i + 1` stages, stage `j` with `lr / decay^j`: the further from the
    /// output, the slower (discriminative fine-tuning, Howard and Ruder 2018).
    pub fn drafts(&self, stages: &[&str], at: &Path) -> Vec<Draft> {
        let down = || names(&stages.iter().copied().rev().collect::<Vec<_>>());
        let order = self.stages.clone().unwrap_or_else(down);
        let rates = order.iter().enumerate().map(|(depth, stage)| {
            let rate = self.lr / self.decay.powi(i32::try_from(depth).unwrap_or(i32::MAX));
            (stage.clone(), rate)
        });
        let rates: Vec<(String, f64)> = rates.collect();
        let draft = |newest: usize| {
            let training = rates.get(..=newest)?;
            let (stage, _) = training.last()?;
            let name = if newest == 0 { stage.clone() } else { format!("+{stage}") };
            let train = training.iter().map(|(stage, _)| stage.clone()).collect();
            let lr = LearningRate::Groups(PerGroup::Map(training.iter().cloned().collect()));
            let place = match &self.stages {
                Some(_) => Place::listed(at, at.key("stages"), training.len()),
                None => Place::scattered(at, at.clone(), Vec::new()),
            };
            Some(Draft { phase: Phase::new(name, self.every, train, lr), at: place })
        };
        (0..rates.len()).filter_map(draft).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STAGES, assert_same, schedule};
    use super::*;

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        let long = "
            phases:
              - { name: head,      epochs: 2, train: [head],                 lr: { head: 1e-3 } }
              - { name: '+layer4', epochs: 2, train: [head, layer4],         lr: { head: 1e-3, layer4: 5e-4 } }
              - { name: '+layer3', epochs: 2, train: [head, layer4, layer3], lr: { head: 1e-3, layer4: 5e-4, layer3: 2.5e-4 } }
            ";
        assert_same("gradual_unfreeze: { every: 2, stages: [head, layer4, layer3], lr: 1e-3, decay: 2 }", long);
        assert_same(
            "gradual_unfreeze: { every: 2, from: head, stages: [head, layer4, layer3], lr: 1e-3, decay: 2 }",
            long,
        );
    }

    #[test]
    fn without_stages_it_goes_down_the_whole_net() {
        assert_same(
            "gradual_unfreeze: { every: 1, from: head, lr: 8, decay: 2 }",
            "
            phases:
              - { name: head,      epochs: 1, train: [head],                         lr: { head: 8 } }
              - { name: '+layer2', epochs: 1, train: [head, layer2],                 lr: { head: 8, layer2: 4 } }
              - { name: '+layer1', epochs: 1, train: [head, layer2, layer1],         lr: { head: 8, layer2: 4, layer1: 2 } }
              - { name: '+stem',   epochs: 1, train: [head, layer2, layer1, stem],   lr: { head: 8, layer2: 4, layer1: 2, stem: 1 } }
            ",
        );
    }

    #[test]
    fn places_lead_back_to_what_was_written() {
        let mut problems = Problems::default();
        let yaml = "gradual_unfreeze: { every: 1, stages: [head, layer4], lr: 1e-3 }";
        let drafts = schedule(yaml).drafts(STAGES, &mut problems);
        assert_eq!(drafts[1].at.train(1).to_string(), "schedule.gradual_unfreeze.stages.1");
        assert_eq!(drafts[1].at.setting("lr").to_string(), "schedule.gradual_unfreeze.lr");
        let drafts = schedule("gradual_unfreeze: { every: 1, lr: 1e-3 }").drafts(STAGES, &mut problems);
        assert_eq!(drafts[1].at.train(1).to_string(), "schedule.gradual_unfreeze");
    }
}
