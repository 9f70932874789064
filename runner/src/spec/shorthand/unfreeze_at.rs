//! `unfreeze_at`.

use super::Basis;
use crate::spec::draft::{Draft, Place};
use crate::spec::{Path, Phase, Problem, Problems};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::fmt;

/// The head trains from the start; stages join at the given epochs, counted from 1. With `epochs` and
/// `lr` of the schedule.
///
/// `unfreeze_at: { 3: layer4, 5: layer3 }`: epochs 1 and 2 train the head alone.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct UnfreezeAt(#[schemars(with = "IndexMap<String, String>")] pub IndexMap<Epoch, String>);

/// The number of an epoch, as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub usize);

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = Epoch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of an epoch")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Epoch, E> {
        usize::try_from(number).map(Epoch).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Epoch, E> {
        let help = crate::spec::serde_message::HELP;
        let wrong = || {
            E::custom(format!(
                "one epoch a key, and `{text}` is no number of an epoch{help}as in `{{ 3: layer4, 5: layer3 }}`"
            ))
        };
        text.parse().map(Epoch).map_err(|_| wrong())
    }
}

impl UnfreezeAt {
    /// Notes every epoch that cannot be. `epochs` is how many there are, where that is known.
    pub fn check(&self, at: &Path, epochs: Option<usize>, problems: &mut Problems) {
        if self.0.is_empty() {
            let problem = Problem::new(at.clone(), "no stage is given that joins");
            problems.push(problem.help("as in `{ 3: layer4, 5: layer3 }`"));
        }
        for (epoch, stage) in &self.0 {
            let at = at.key(epoch.0.to_string());
            match epochs {
                _ if epoch.0 < 2 => problems.push(
                    Problem::new(at, format!("`{stage}` cannot join at epoch {}: epochs count from 1", epoch.0))
                        .at_key()
                        .help("the head has epoch 1 for itself; write `phases` where it should not"),
                ),
                Some(epochs) if epoch.0 > epochs => problems
                    .push(Problem::new(at, format!("`{stage}` never joins: there are {epochs} epochs")).at_key()),
                _ => {}
            }
        }
    }

    /// A phase for each set of stages that train together.
    pub fn drafts(&self, stages: &[&str], basis: Basis<'_>, schedule: &Path) -> Vec<Draft> {
        let Some(head) = stages.last() else { return Vec::new() };
        let at = schedule.key("unfreeze_at");
        let mut joining: Vec<(Epoch, &str)> = self.0.iter().map(|(epoch, stage)| (*epoch, stage.as_str())).collect();
        joining.sort_by_key(|(epoch, _)| *epoch);
        let ends = joining.iter().map(|(epoch, _)| epoch.0).chain([basis.epochs.saturating_add(1)]);
        let mut begins = 1;
        let draft = |(joined, end): (usize, usize)| {
            let length = end.saturating_sub(begins);
            begins = begins.max(end);
            let joined = joining.get(..joined).unwrap_or_default();
            let train: Vec<String> =
                [*head].into_iter().chain(joined.iter().map(|(_, stage)| *stage)).map(str::to_owned).collect();
            let later = |group: &str| {
                !train.iter().any(|name| name == group) && joining.iter().any(|(_, stage)| *stage == group)
            };
            let lr = basis.lr.without(later);
            let name = joined.last().map_or_else(|| (*head).to_owned(), |(_, stage)| format!("+{stage}"));
            let entries = joined.iter().map(|(epoch, _)| at.key(epoch.0.to_string()));
            let place = Place::scattered(schedule, at.clone(), [at.clone()].into_iter().chain(entries).collect());
            Draft { phase: Phase::new(name, length, train, lr), at: place }
        };
        ends.enumerate().map(draft).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, schedule};
    use super::*;

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        assert_same(
            "{ epochs: 8, lr: 1e-3, unfreeze_at: { 5: layer1, 3: layer2 } }",
            "
            phases:
              - { name: head,      epochs: 2, train: [head],                 lr: 1e-3 }
              - { name: '+layer2', epochs: 2, train: [head, layer2],         lr: 1e-3 }
              - { name: '+layer1', epochs: 4, train: [head, layer2, layer1], lr: 1e-3 }
            ",
        );
        assert_same(
            "{ epochs: 2, lr: { head: 1, layer2: 2 }, unfreeze_at: { 2: layer2 } }",
            "
            phases:
              - { name: head,      epochs: 1, train: [head],         lr: { head: 1 } }
              - { name: '+layer2', epochs: 1, train: [head, layer2], lr: { head: 1, layer2: 2 } }
            ",
        );
    }

    #[test]
    fn epochs_that_cannot_be_are_problems_at_their_keys() {
        let schedule = schedule("{ epochs: 4, lr: 1, unfreeze_at: { 0: layer1, 1: layer2, 4: layer3, 5: stem } }");
        let mut problems = Problems::default();
        schedule.unfreeze_at.unwrap().check(&Path::of("x"), schedule.epochs, &mut problems);
        let found: Vec<String> =
            problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
        assert_eq!(
            found,
            [
                "x.0: `layer1` cannot join at epoch 0: epochs count from 1",
                "x.1: `layer2` cannot join at epoch 1: epochs count from 1",
                "x.5: `stem` never joins: there are 4 epochs",
            ]
        );
        let wrong = serde_yaml::from_str::<UnfreezeAt>("{ third: layer4 }").unwrap_err().to_string();
        assert!(wrong.contains("`third` is no number of an epoch"), "{wrong}");
    }

    #[test]
    fn a_stage_is_pointed_at_by_its_epoch() {
        let schedule = schedule("{ epochs: 4, lr: 1, unfreeze_at: { 3: layer2 } }");
        let drafts = schedule.drafts(&["layer2", "head"], &mut Problems::default());
        assert_eq!(drafts[1].at.train(1).to_string(), "schedule.unfreeze_at.3");
        assert_eq!(drafts[1].at.setting("lr").to_string(), "schedule.lr");
    }
}
