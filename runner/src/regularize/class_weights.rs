//! `class_weights`.

use super::balanced::{self, BALANCED};
use crate::spec::{Path, Problem, Problems};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// Weights of the classes in the loss, for classes that are seldom or that matter more:
/// `class_weights: balanced`, or `class_weights: { platelet: 2.0 }`.
///
/// As `weight` of torch's `CrossEntropyLoss`: a sample of class y counts `weight[y]` times, and the
/// loss is divided by the sum of the weights of the batch's samples (by their number where a batch
/// augmentation mixes targets, as torch does for targets that are probabilities).
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// `samples / (classes * samples of the class)` over what an epoch draws of the training split: every
    /// class counts the same in sum (scikit-learn's `balanced`).
    Balanced,
    /// By class; a class that is not named has weight 1.
    ByClass(IndexMap<String, f64>),
}

impl ClassWeights {
    /// Notes weights that are out of range and classes that do not exist.
    pub fn check(&self, at: &Path, classes: &[String], problems: &mut Problems) {
        let ClassWeights::ByClass(weights) = self else { return };
        for (class, weight) in weights {
            if !classes.contains(class) {
                let problem = Problem::new(at.key(class), format!("there is no class `{class}`")).at_key();
                problems.push(problem.suggest(class, classes.iter().map(String::as_str)));
            }
            if !(*weight >= 0.0 && weight.is_finite()) {
                let problem = Problem::new(at.key(class), format!("{weight} is no weight"));
                problems.push(problem.help("expected a number from 0"));
            }
        }
        if !classes.is_empty() && classes.iter().all(|class| weights.get(class) == Some(&0.0)) {
            problems.push(Problem::new(at.clone(), "every class has weight 0, so nothing would be learnt"));
        }
    }

    /// The weight of each of `classes`; `counts` are their samples in an epoch. A class
    /// without samples has weight 1 when balanced.
    pub fn resolve(&self, classes: &[String], counts: &[usize]) -> Vec<f32> {
        match self {
            ClassWeights::Balanced => {
                let total: usize = counts.iter().sum();
                let weight = |&count: &usize| match count {
                    0 => 1.0,
                    count => (total as f64 / (counts.len() as f64 * count as f64)) as f32,
                };
                counts.iter().map(weight).collect()
            }
            ClassWeights::ByClass(weights) => {
                classes.iter().map(|class| weights.get(class).map_or(1.0, |&weight| weight as f32)).collect()
            }
        }
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let weights = match self {
            ClassWeights::Balanced => None,
            ClassWeights::ByClass(weights) => Some(weights),
        };
        balanced::write(weights, serializer)
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(balanced::read(deserializer, "weight")?.map_or(ClassWeights::Balanced, ClassWeights::ByClass))
    }
}

impl JsonSchema for ClassWeights {
    fn schema_name() -> Cow<'static, str> {
        "ClassWeights".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Weights of the classes in the loss: `balanced` (inverse to a class's share of the training \
                            split), or a map from class to weight, 1 for classes that are not named.",
            "anyOf": [
                { "const": BALANCED },
                { "type": "object", "additionalProperties": { "type": "number", "minimum": 0 } }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        ["cat", "dog", "cow"].map(String::from).to_vec()
    }

    #[test]
    fn balanced_classes_count_the_same_in_sum() {
        let counts = [10, 30, 60];
        let weights = ClassWeights::Balanced.resolve(&classes(), &counts);
        for (weight, count) in weights.iter().zip(counts) {
            assert!((weight * count as f32 - 100.0 / 3.0).abs() < 1e-4);
        }
        assert_eq!(ClassWeights::Balanced.resolve(&classes(), &[1, 0, 1]), [2.0 / 3.0, 1.0, 2.0 / 3.0]);
    }

    #[test]
    fn both_forms_are_read_and_written() {
        for yaml in ["balanced\n", "cow: 2.5\ncat: 1.0\n"] {
            let weights: ClassWeights = serde_yaml::from_str(yaml).unwrap();
            assert_eq!(serde_yaml::to_string(&weights).unwrap(), yaml);
        }
        let weights: ClassWeights = serde_yaml::from_str("{ cow: 2.5 }").unwrap();
        assert_eq!(weights.resolve(&classes(), &[1, 1, 1]), [1.0, 1.0, 2.5]);
        let error = serde_yaml::from_str::<ClassWeights>("balancd").unwrap_err().to_string();
        assert!(error.contains("expected `balanced`"), "{error}");
        assert!(serde_yaml::from_str::<ClassWeights>("3").is_err());
    }

    #[test]
    fn nonsense_is_noted() {
        let count = |yaml: &str| {
            let mut problems = Problems::default();
            serde_yaml::from_str::<ClassWeights>(yaml).unwrap().check(&Path::of("a"), &classes(), &mut problems);
            problems.0.len()
        };
        assert_eq!(count("{ cat: 0, dog: 3 }"), 0);
        assert_eq!(count("{ cat: -1, dgo: 3 }"), 2);
        assert_eq!(count("{ cat: .nan }"), 1);
        assert_eq!(count("{ cat: 0, dog: 0, cow: 0 }"), 1);
    }
}
