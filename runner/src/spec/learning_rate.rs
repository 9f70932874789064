//! `lr`: the learning rates of a phase.

use super::check::{POSITIVE, each, finite};
use super::{Path, PerGroup, Problems};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::json;
use std::borrow::Cow;
use std::fmt;

/// The learning rates of a phase: for all groups or by group, or falling from the output to the
/// input, stage by stage.
#[derive(Debug, Clone, PartialEq)]
pub enum LearningRate {
    /// `1e-3`, or `{ head: 1e-3, "*": 1e-4 }`.
    Groups(PerGroup<f64>),
    /// `{ layer_decay: 0.75, top: 1e-3 }`.
    LayerDecay(LayerDecay),
    /// `{ discriminative: { top: 1e-3, bottom: 1e-5 } }`.
    Discriminative(Discriminative),
}

/// Each stage of the net has the rate of the stage after it, times a factor (Clark et al. 2020; timm's
/// `layer_decay`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerDecay {
    /// The factor, above 0 and at most 1.
    pub layer_decay: f64,
    /// Learning rate of the stage nearest to the output. Frozen stages count as steps of the way too.
    pub top: f64,
}

/// Rates that fall by equal factors from the highest to the lowest of the stages that train in the
/// phase (discriminative fine-tuning, Howard and Ruder 2018; fastai's `slice`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discriminative {
    /// Learning rate of the stage that is nearest to the output.
    pub top: f64,
    /// Learning rate of the stage that is nearest to the image.
    pub bottom: f64,
}

impl LearningRate {
    /// The same rate for all groups.
    pub fn all(rate: f64) -> Self {
        LearningRate::Groups(PerGroup::All(rate))
    }

    /// The rates for a phase in which of all groups only some train: those of groups that `joins_later`
    /// are left out. Names of no group at all stay, to be told of.
    #[must_use]
    pub fn without(&self, joins_later: impl Fn(&str) -> bool) -> Self {
        match self {
            LearningRate::Groups(PerGroup::Map(map)) => {
                let map =
                    map.iter().filter(|(group, _)| !joins_later(group)).map(|(group, rate)| (group.clone(), *rate));
                LearningRate::Groups(PerGroup::Map(map.collect()))
            }
            other => other.clone(),
        }
    }

    /// Notes every rate that is out of range. `at` is where the rates stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        match self {
            LearningRate::Groups(rates) => each(problems, at, rates, POSITIVE, "a learning rate"),
            LearningRate::LayerDecay(LayerDecay { layer_decay, top }) => {
                use std::ops::Bound::{Excluded, Included};
                let factor = (Excluded(0.0), Included(1.0));
                super::check::range(problems, at.key("layer_decay"), layer_decay, factor, "the decay");
                finite(problems, at.key("top"), *top, POSITIVE, "a learning rate");
            }
            LearningRate::Discriminative(Discriminative { top, bottom }) => {
                let at = at.key("discriminative");
                finite(problems, at.key("top"), *top, POSITIVE, "a learning rate");
                finite(problems, at.key("bottom"), *bottom, POSITIVE, "a learning rate");
            }
        }
    }
}

impl Serialize for LearningRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            LearningRate::Groups(rates) => rates.serialize(serializer),
            LearningRate::LayerDecay(decay) => decay.serialize(serializer),
            LearningRate::Discriminative(rates) => serializer.collect_map([("discriminative", rates)]),
        }
    }
}

impl<'de> Deserialize<'de> for LearningRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = LearningRate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a map from group to number")
    }

    fn visit_i64<E: Error>(self, rate: i64) -> Result<LearningRate, E> {
        Ok(LearningRate::all(rate as f64))
    }

    fn visit_u64<E: Error>(self, rate: u64) -> Result<LearningRate, E> {
        Ok(LearningRate::all(rate as f64))
    }

    fn visit_f64<E: Error>(self, rate: f64) -> Result<LearningRate, E> {
        Ok(LearningRate::all(rate))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<LearningRate, E> {
        f64::deserialize(text.into_deserializer()).map(LearningRate::all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LearningRate, A::Error> {
        let mut numbers: IndexMap<String, f64> = IndexMap::new();
        let mut discriminative = None;
        while let Some(key) = map.next_key_seed(Key { numbers: &numbers, discriminative: discriminative.is_some() })? {
            if key == DISCRIMINATIVE {
                discriminative = Some(map.next_value()?);
            } else {
                let rate = map.next_value()?;
                numbers.insert(key, rate);
            }
        }
        if let Some(rates) = discriminative {
            return Ok(LearningRate::Discriminative(rates));
        }
        match (numbers.get(LAYER_DECAY), numbers.get(TOP)) {
            (Some(&layer_decay), Some(&top)) => Ok(LearningRate::LayerDecay(LayerDecay { layer_decay, top })),
            (Some(_), None) => Err(A::Error::missing_field(TOP)),
            (None, _) => Ok(LearningRate::Groups(PerGroup::Map(numbers))),
        }
    }
}

const LAYER_DECAY: &str = "layer_decay";
const DISCRIMINATIVE: &str = "discriminative";
const TOP: &str = "top";

/// Reads a key, and refuses one that does not go with those before it: its errors point at the key.
struct Key<'a> {
    numbers: &'a IndexMap<String, f64>,
    discriminative: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<String, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a group")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        let decays = self.numbers.contains_key(LAYER_DECAY);
        let before = self.numbers.keys().find(|before| *before != TOP);
        match key {
            _ if self.discriminative => Err(alone(key, DISCRIMINATIVE)),
            TOP | LAYER_DECAY if decays => Ok(key.to_owned()),
            _ if decays => Err(E::unknown_field(key, &[LAYER_DECAY, TOP])),
            DISCRIMINATIVE if !self.numbers.is_empty() => Err(alone(DISCRIMINATIVE, "a rate by group")),
            LAYER_DECAY if before.is_some() => Err(alone(LAYER_DECAY, "a rate by group")),
            _ => Ok(key.to_owned()),
        }
    }
}

fn alone<E: Error>(key: &str, other: &str) -> E {
    let help = super::serde_message::HELP;
    E::custom(format!(
        "one way to give learning rates, and `{key}` is a second one beside {}{help}keep one of them",
        if other == DISCRIMINATIVE { "`discriminative`" } else { other }
    ))
}

impl JsonSchema for LearningRate {
    fn schema_name() -> Cow<'static, str> {
        "LearningRate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut groups = generator.subschema_for::<PerGroup<f64>>();
        let own = json!([{ "required": [LAYER_DECAY] }, { "required": [DISCRIMINATIVE] }]);
        groups.insert("not".to_owned(), json!({ "type": "object", "anyOf": own }));
        let decay = generator.subschema_for::<LayerDecay>();
        let discriminative = generator.subschema_for::<Discriminative>();
        let forms = "One number for all groups, or one by group; or rates that fall from the output to the image, \
                     stage by stage: `{ layer_decay: 0.75, top: 1e-3 }`, \
                     `{ discriminative: { top: 1e-3, bottom: 1e-5 } }`. `runner plan` shows each stage's.";
        json_schema!({
            "description": forms,
            "anyOf": [
                groups,
                decay,
                {
                    "type": "object",
                    "properties": { DISCRIMINATIVE: discriminative },
                    "required": [DISCRIMINATIVE],
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<LearningRate, String> {
        let mut track = serde_path_to_error::Track::new();
        let value: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
        LearningRate::deserialize(serde_path_to_error::Deserializer::new(value, &mut track))
            .map_err(|error| format!("{}: {error}", track.path()))
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        for yaml in [
            "0.001\n",
            "head: 0.001\n'*': 0.0001\n",
            "layer_decay: 0.75\ntop: 0.001\n",
            "discriminative:\n  top: 0.001\n  bottom: 0.00001\n",
        ] {
            let rates = read(yaml).unwrap();
            assert_eq!(read(&serde_yaml::to_string(&rates).unwrap()).unwrap(), rates, "{yaml}");
        }
        let decay = LearningRate::LayerDecay(LayerDecay { layer_decay: 0.5, top: 1.0 });
        assert_eq!(read("{ top: 1, layer_decay: 0.5 }").unwrap(), decay);
        let groups = PerGroup::Map(IndexMap::from([("top".to_owned(), 1.0), ("head".to_owned(), 2.0)]));
        assert_eq!(read("{ top: 1, head: 2 }").unwrap(), LearningRate::Groups(groups), "a stage may be called `top`");
    }

    #[test]
    fn what_does_not_go_together_is_told_at_the_second_key() {
        for (yaml, start) in [
            ("{ layer_decay: 0.5 }", ".: missing field `top`"),
            ("{ layer_decay: 0.5, top: 1, head: 1 }", "head: unknown field `head`, expected `layer_decay` or `top`"),
            ("{ head: 1, layer_decay: 0.5 }", "layer_decay: one way to give learning rates"),
            ("{ head: 1, discriminative: { top: 1, bottom: 1 } }", "discriminative: one way to give learning rates"),
            ("{ discriminative: { top: 1, bottom: 1 }, head: 1 }", "head: one way to give learning rates"),
            ("{ discriminative: { top: 1 } }", "discriminative: missing field `bottom`"),
            ("{ discriminative: { top: 1, botom: 1 } }", "discriminative.botom: unknown field `botom`"),
            ("fast", ".: invalid type: string \"fast\", expected f64"),
            ("{ head: fast }", "head: invalid type: string \"fast\""),
        ] {
            let error = read(yaml).unwrap_err();
            assert!(error.starts_with(start), "{yaml}: {error}");
        }
    }
}
