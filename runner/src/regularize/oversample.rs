//! `oversample`.

use super::balanced::{self, BALANCED};
use crate::random::{Key, Purpose};
use crate::spec::{Path, Problem, Problems};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// Classes that are drawn more often in training: `oversample: balanced`, or `oversample: { platelet:
/// 3 }`.
///
/// Every image of the training split is in every epoch at least once. A class that is drawn more often
/// has all its images that many whole times, and for the rest of its share other ones in each epoch, none
/// of them twice more than another. Each time an image is augmented anew. An epoch is longer by what is
/// drawn besides. Validation and test are not touched.
#[derive(Debug, Clone, PartialEq)]
pub enum Oversample {
    /// Every class as often as the one with the most images.
    Balanced,
    /// How many times as often, by class; a class that is not named is drawn once.
    ByClass(IndexMap<String, f64>),
}

/// The greatest factor: above it one class would be all that an epoch has.
const MAX_FACTOR: f64 = 1000.0;

impl Oversample {
    /// Notes factors that are out of range and classes that do not exist.
    pub fn check(&self, at: &Path, classes: &[String], problems: &mut Problems) {
        let Oversample::ByClass(factors) = self else { return };
        for (class, factor) in factors {
            if !classes.contains(class) {
                let problem = Problem::new(at.key(class), format!("there is no class `{class}`")).at_key();
                problems.push(problem.suggest(class, classes.iter().map(String::as_str)));
            }
            if !(1.0..=MAX_FACTOR).contains(factor) {
                let problem = Problem::new(at.key(class), format!("a class cannot be drawn {factor} times as often"));
                problems
                    .push(problem.help("expected a number from 1 to 1000; name the other classes to draw them more"));
            }
        }
    }

    /// How many images of each of `classes` an epoch draws; `counts` are those in the training split.
    pub fn drawn(&self, classes: &[String], counts: &[usize]) -> Vec<usize> {
        match self {
            Oversample::Balanced => {
                let most = counts.iter().copied().max().unwrap_or(0);
                counts.iter().map(|&count| if count == 0 { 0 } else { most }).collect()
            }
            Oversample::ByClass(factors) => {
                let times = |class: &String| factors.get(class).copied().unwrap_or(1.0);
                classes
                    .iter()
                    .zip(counts)
                    .map(|(class, &count)| (times(class) * count as f64).round() as usize)
                    .collect()
            }
        }
    }

    /// The images that an epoch draws, class by class; `of_class` are the training split's, by class.
    pub fn epoch(&self, classes: &[String], of_class: &[Vec<usize>], seed: u64, epoch: u64) -> Vec<usize> {
        let counts: Vec<usize> = of_class.iter().map(Vec::len).collect();
        let mut drawn = Vec::new();
        for (class, (images, wanted)) in of_class.iter().zip(self.drawn(classes, &counts)).enumerate() {
            if images.is_empty() {
                continue;
            }
            for _ in 0..wanted / images.len() {
                drawn.extend_from_slice(images);
            }
            let mut others = images.clone();
            Key::new(seed, Purpose::Oversample).with(epoch).with(class as u64).stream().shuffle(&mut others);
            drawn.extend_from_slice(&others[..wanted % images.len()]);
        }
        drawn
    }
}

impl Serialize for Oversample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let factors = match self {
            Oversample::Balanced => None,
            Oversample::ByClass(factors) => Some(factors),
        };
        balanced::write(factors, serializer)
    }
}

impl<'de> Deserialize<'de> for Oversample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(balanced::read(deserializer, "factor")?.map_or(Oversample::Balanced, Oversample::ByClass))
    }
}

impl JsonSchema for Oversample {
    fn schema_name() -> Cow<'static, str> {
        "Oversample".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Classes that are drawn more often in training: `balanced` (every class as often as the one \
                            with the most images), or a map from class to factor, 1 for classes that are not named. \
                            Every image is in every epoch at least once, each time augmented anew; an epoch is longer \
                            by what is drawn besides.",
            "anyOf": [
                { "const": BALANCED },
                { "type": "object", "additionalProperties": { "type": "number", "minimum": 1, "maximum": MAX_FACTOR } }
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

    /// Four cats, ten dogs, three cows.
    fn of_class() -> Vec<Vec<usize>> {
        vec![(0..4).collect(), (10..20).collect(), (30..33).collect()]
    }

    fn read(yaml: &str) -> Oversample {
        serde_yaml::from_str(yaml).unwrap()
    }

    /// How often each image is drawn.
    fn times(drawn: &[usize]) -> Vec<usize> {
        let mut times = vec![0; 33];
        for &image in drawn {
            times[image] += 1;
        }
        times
    }

    #[test]
    fn balanced_classes_have_equal_shares_and_every_image_is_there() {
        let drawn = read("balanced").epoch(&classes(), &of_class(), 1, 1);
        assert_eq!(drawn.len(), 30);
        let times = times(&drawn);
        for (images, least) in of_class().iter().zip([2, 1, 3]) {
            assert_eq!(images.iter().map(|&image| times[image]).sum::<usize>(), 10);
            assert!(images.iter().all(|&image| (least..=least + 1).contains(&times[image])), "{times:?}");
        }
    }

    #[test]
    fn a_factor_is_the_share_of_its_class() {
        let drawn = read("{ cow: 2.5, cat: 1.0 }").epoch(&classes(), &of_class(), 1, 1);
        let times = times(&drawn);
        let sums: Vec<usize> = of_class().iter().map(|images| images.iter().map(|&image| times[image]).sum()).collect();
        assert_eq!(sums, [4, 10, 8]);
    }

    #[test]
    fn what_is_drawn_besides_follows_from_seed_and_epoch() {
        let draw = |seed, epoch| read("balanced").epoch(&classes(), &of_class(), seed, epoch);
        assert_eq!(draw(1, 1), draw(1, 1));
        assert!((2..9).any(|epoch| draw(1, epoch) != draw(1, 1)));
        assert!((2..9).any(|seed| draw(seed, 1) != draw(1, 1)));
    }

    #[test]
    fn a_class_without_images_is_none() {
        let drawn = read("balanced").epoch(&classes(), &[vec![], vec![1, 2], vec![3]], 1, 1);
        assert_eq!(drawn, [1, 2, 3, 3]);
    }

    #[test]
    fn both_forms_are_read_and_written_and_nonsense_is_noted() {
        for yaml in ["balanced\n", "cow: 2.5\ncat: 1.0\n"] {
            assert_eq!(serde_yaml::to_string(&read(yaml)).unwrap(), yaml);
        }
        let error = serde_yaml::from_str::<Oversample>("balancd").unwrap_err().to_string();
        assert!(error.contains("expected `balanced`"), "{error}");
        let error = serde_yaml::from_str::<Oversample>("3").unwrap_err().to_string();
        assert!(error.contains("`balanced`, or a map from class to factor"), "{error}");
        let count = |yaml: &str| {
            let mut problems = Problems::default();
            read(yaml).check(&Path::of("a"), &classes(), &mut problems);
            problems.0.len()
        };
        assert_eq!(count("{ cat: 1, dog: 3.5 }"), 0);
        assert_eq!(count("{ cat: 0.5, dgo: 3 }"), 2);
        assert_eq!(count("{ cat: .nan, dog: 1e9 }"), 2);
    }
}
