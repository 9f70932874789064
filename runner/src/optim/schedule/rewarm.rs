//! `rewarm`.

use super::WarmUp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The warm-up of what trained in the phase before: a number of epochs, or what `warm_up` takes.
///
/// `rewarm: 1`, `rewarm: { steps: 50, from: 0.1 }`
#[derive(Debug, Clone, PartialEq)]
pub struct Rewarm(pub WarmUp);

impl Serialize for Rewarm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rewarm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Rewarm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of epochs, or a map such as { epochs: 1, from: 0.1 }")
    }

    fn visit_u64<E: serde::de::Error>(self, epochs: u64) -> Result<Rewarm, E> {
        self.visit_f64(epochs as f64)
    }

    fn visit_i64<E: serde::de::Error>(self, epochs: i64) -> Result<Rewarm, E> {
        self.visit_f64(epochs as f64)
    }

    fn visit_f64<E: serde::de::Error>(self, epochs: f64) -> Result<Rewarm, E> {
        Ok(Rewarm(WarmUp { epochs: Some(epochs), steps: None, from: WarmUp::default_from() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rewarm, A::Error> {
        WarmUp::deserialize(MapAccessDeserializer::new(map)).map(Rewarm)
    }
}

impl JsonSchema for Rewarm {
    fn schema_name() -> Cow<'static, str> {
        "Rewarm".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let warm_up = generator.subschema_for::<WarmUp>();
        json_schema!({
            "description": "The warm-up of what trained in the phase before: a number of epochs, or what `warm_up` takes.",
            "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, warm_up]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let rewarm = |epochs, steps, from| Rewarm(WarmUp { epochs, steps, from });
        for (yaml, expected) in [
            ("2", rewarm(Some(2.0), None, 0.01)),
            ("0.5", rewarm(Some(0.5), None, 0.01)),
            ("{ steps: 50, from: 0.1 }", rewarm(None, Some(50), 0.1)),
        ] {
            assert_eq!(serde_yaml::from_str::<Rewarm>(yaml).unwrap(), expected, "{yaml}");
        }
        let error = serde_yaml::from_str::<Rewarm>("[1]").unwrap_err().to_string();
        assert!(error.contains("a number of epochs, or a map"), "{error}");
    }
}
