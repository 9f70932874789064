//! `progressive_freezing`.

use super::names;
use crate::spec::check::stages as check_stages;
use crate::spec::draft::{Draft, Place};
use crate::spec::{LearningRate, Path, Phase, Problem, Problems, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All of the net trains at first; then one more stage freezes every few epochs, from the image up
/// (after `FreezeOut`, Brock et al. 2017, whose rates also fall towards a stage's freezing: for that, give
/// a `scheduler`). Each phase costs less than the one before.
///
/// `progressive_freezing: { first: 4, every: 1, lr: 1e-3 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressiveFreezing {
    /// Epochs before the first stage freezes; by default `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// Epochs from one stage to the next.
    pub every: usize,
    /// The stages, in the order in which they freeze. By default all but the head, from the image up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<String>>,
    /// Learning rates.
    pub lr: LearningRate,
}

impl ProgressiveFreezing {
    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        if let Some(first) = self.first {
            limits::epochs(problems, at.key("first"), first);
        }
        limits::epochs(problems, at.key("every"), self.every);
        if let Some(stages) = &self.stages {
            check_stages(problems, &at.key("stages"), stages, "nothing is listed that could freeze");
        }
        self.lr.check(&at.key("lr"), problems);
    }

    /// Phase `i` trains all but the first `i` of the stages that freeze.
    pub fn drafts(&self, stages: &[&str], at: &Path, problems: &mut Problems) -> Vec<Draft> {
        let Some((_, below)) = stages.split_last() else { return Vec::new() };
        let freezing = self.stages.clone().unwrap_or_else(|| names(below));
        if !self.all_there(&freezing, stages, at, problems) {
            return Vec::new();
        }
        let draft = |count: usize| {
            let frozen = freezing.get(..count).unwrap_or_default();
            let is_frozen = |stage: &str| frozen.iter().any(|name| name == stage);
            let train: Vec<&str> = stages.iter().copied().filter(|stage| !is_frozen(stage)).collect();
            let lr = self.lr.without(is_frozen);
            let (name, epochs) = match frozen.last() {
                None => ("all".to_owned(), self.first.unwrap_or(self.every)),
                Some(stage) => (format!("-{stage}"), self.every),
            };
            let place = Place::scattered(at, at.clone(), Vec::new());
            Draft { phase: Phase::new(name, epochs, names(&train), lr), at: place }
        };
        (0..=freezing.len()).map(draft).collect()
    }

    /// Whether the stages that freeze are there, and something is left that trains.
    fn all_there(&self, freezing: &[String], stages: &[&str], at: &Path, problems: &mut Problems) -> bool {
        let before = problems.0.len();
        for (index, stage) in freezing.iter().enumerate().filter(|(_, stage)| !stages.contains(&stage.as_str())) {
            let problem = Problem::new(at.key("stages").index(index), format!("no stage is named `{stage}`"));
            problems.push(problem.suggest(stage, stages.iter().copied()));
        }
        if self.stages.is_some() && stages.iter().all(|stage| freezing.iter().any(|name| name == stage)) {
            let problem = Problem::new(at.key("stages"), "in the end nothing would train");
            problems.push(problem.help("leave one stage out, such as the head"));
        }
        problems.0.len() == before
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, problem};

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        assert_same(
            "progressive_freezing: { first: 4, every: 1, lr: { stem: 1, '*': 2 } }",
            "
            phases:
              - { name: all,       epochs: 4, train: [stem, layer1, layer2, head], lr: { stem: 1, '*': 2 } }
              - { name: '-stem',   epochs: 1, train: [layer1, layer2, head],       lr: { '*': 2 } }
              - { name: '-layer1', epochs: 1, train: [layer2, head],               lr: { '*': 2 } }
              - { name: '-layer2', epochs: 1, train: [head],                       lr: { '*': 2 } }
            ",
        );
        assert_same(
            "progressive_freezing: { every: 2, stages: [layer1], lr: 1 }",
            "
            phases:
              - { name: all,       epochs: 2, train: [stem, layer1, layer2, head], lr: 1 }
              - { name: '-layer1', epochs: 2, train: [stem, layer2, head],         lr: 1 }
            ",
        );
    }

    #[test]
    fn what_freezes_must_be_there_and_leave_something() {
        assert_eq!(
            problem("progressive_freezing: { every: 2, stages: [stem, layer9], lr: 1 }"),
            "schedule.progressive_freezing.stages.1: no stage is named `layer9`"
        );
        assert_eq!(
            problem("progressive_freezing: { every: 2, stages: [stem, layer1, layer2, head], lr: 1 }"),
            "schedule.progressive_freezing.stages: in the end nothing would train"
        );
    }
}
