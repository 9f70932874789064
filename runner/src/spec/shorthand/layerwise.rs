//! `layerwise`.

use crate::spec::check::{POSITIVE, finite, range, stages as check_stages};
use crate::spec::draft::{Draft, Place};
use crate::spec::{LearningRate, Path, PerGroup, Phase, Problem, Problems, Until, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Layer-wise training (Belilovsky et al. 2019): groups of stages train one after the other, from the
/// image up. Each has an auxiliary head of its own, the means over the image and a linear map to the
/// classes, on the group's output; what is below it is frozen, and what is above it is not even computed.
/// The last group trains with the net's own head. So a net can be trained whose activations do not fit
/// into memory together.
///
/// `layerwise: { group_size: 2, epochs: 3, lr: 1e-3 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layerwise {
    /// How many stages train together.
    #[serde(default = "Layerwise::default_group_size")]
    pub group_size: usize,
    /// Epochs of each phase, at most where there is `until`.
    pub epochs: usize,
    /// The stages, from the image up. By default all that have parameters. The head always trains last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<String>>,
    /// The learning rate.
    pub lr: f64,
    /// Ends each phase by a metric of its own head, before its epochs are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Whether each group freezes with its best weights rather than its last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restore_best: bool,
}

impl Layerwise {
    fn default_group_size() -> usize {
        1
    }

    /// Notes every argument that is out of range.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("group_size"), &self.group_size, 1.., "the number of stages");
        limits::epochs(problems, at.key("epochs"), self.epochs);
        if let Some(stages) = &self.stages {
            check_stages(problems, &at.key("stages"), stages, "nothing is listed that could train");
        }
        finite(problems, at.key("lr"), self.lr, POSITIVE, "the learning rate");
        if let Some(until) = &self.until {
            until.check(&at.key("until"), problems);
        }
    }

    /// The groups of stages, from the image up, without the head. `stages` are the net's with parameters.
    pub fn groups(&self, stages: &[&str]) -> Vec<Vec<String>> {
        let Some((head, below)) = stages.split_last() else { return Vec::new() };
        let listed = self.stages.as_ref().map(|listed| listed.iter().map(String::as_str).collect());
        let training: Vec<&str> = listed.unwrap_or_else(|| below.to_vec());
        let training: Vec<String> = training.into_iter().filter(|stage| stage != head).map(str::to_owned).collect();
        training.chunks(self.group_size.max(1)).map(<[String]>::to_vec).collect()
    }

    /// Notes stages that the net lacks or that are not in its order; whether there are none.
    pub fn fits(&self, stages: &[&str], at: &Path, problems: &mut Problems) -> bool {
        let before = problems.0.len();
        let mut last = 0;
        for (index, name) in self.stages.iter().flatten().enumerate() {
            let entry = || at.key("stages").index(index);
            match stages.iter().position(|stage| stage == name) {
                None => {
                    let problem = Problem::new(entry(), format!("no stage with parameters is named `{name}`"));
                    problems.push(problem.suggest(name, stages.iter().copied()));
                }
                Some(place) if place < last => {
                    let message = format!("`{name}` is nearer to the image than the stage listed before it");
                    problems.push(Problem::new(entry(), message).help("list the stages from the image up"));
                }
                Some(place) => last = place,
            }
        }
        problems.0.len() == before
    }

    /// A phase a group: it trains with its head, `auxiliary1` for the first, the last group with the
    /// net's own.
    pub fn drafts(&self, stages: &[&str], at: &Path, problems: &mut Problems) -> Vec<Draft> {
        let Some(head) = stages.last().filter(|_| self.fits(stages, at, problems)) else { return Vec::new() };
        let groups = match self.groups(stages) {
            none if none.is_empty() => vec![Vec::new()],
            groups => groups,
        };
        let count = groups.len();
        let draft = |(number, mut train): (usize, Vec<String>)| {
            let last = number + 1 == count;
            train.push(if last { (*head).to_owned() } else { format!("auxiliary{}", number + 1) });
            let name = if last { train.last() } else { train.get(train.len().saturating_sub(2)) };
            let (first, name) = (train.first().cloned().unwrap_or_default(), name.cloned().unwrap_or_default());
            let name = if first == name { name } else { format!("{first}..{name}") };
            let phase = Phase {
                until: self.until.clone(),
                restore_best: self.restore_best,
                ..Phase::new(name, self.epochs, train, LearningRate::Groups(PerGroup::All(self.lr)))
            };
            Draft { phase, at: Place::scattered(at, at.clone(), Vec::new()) }
        };
        groups.into_iter().enumerate().map(draft).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STAGES, assert_same, schedule};
    use super::*;

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        assert_same(
            "layerwise: { group_size: 2, epochs: 3, lr: 1e-3, restore_best: true }",
            "
            phases:
              - { name: stem..layer1, epochs: 3, train: [stem, layer1, auxiliary1], lr: 1e-3, restore_best: true }
              - { name: layer2..head, epochs: 3, train: [layer2, head],             lr: 1e-3, restore_best: true }
            ",
        );
        assert_same(
            "layerwise: { epochs: 3, stages: [layer1, layer2, head], lr: 1, until: { metric: val_loss, below: 1 } }",
            "
            phases:
              - { name: layer1,       epochs: 3, train: [layer1, auxiliary1], lr: 1, until: { metric: val_loss, below: 1 } }
              - { name: layer2..head, epochs: 3, train: [layer2, head],       lr: 1, until: { metric: val_loss, below: 1 } }
            ",
        );
    }

    #[test]
    fn stages_are_the_nets_and_in_its_order() {
        let schedule = schedule("layerwise: { epochs: 1, stages: [layer2, layer1, layer9], lr: 1 }");
        let mut problems = Problems::default();
        assert!(!schedule.layerwise.unwrap().fits(STAGES, &Path::of("x"), &mut problems));
        let told: Vec<String> = problems.0.iter().map(|problem| problem.message.clone()).collect();
        assert_eq!(
            told,
            [
                "`layer1` is nearer to the image than the stage listed before it",
                "no stage with parameters is named `layer9`"
            ]
        );
    }
}
