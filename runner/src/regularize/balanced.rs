//! The form `balanced`, or a number by class.

use indexmap::IndexMap;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::fmt;

/// The word.
pub const BALANCED: &str = "balanced";

/// A number by class; `None` is `balanced`.
pub type ByClass = Option<IndexMap<String, f64>>;

/// Writes it.
pub fn write<S: Serializer>(by_class: Option<&IndexMap<String, f64>>, serializer: S) -> Result<S::Ok, S::Error> {
    match by_class {
        None => serializer.serialize_str(BALANCED),
        Some(numbers) => numbers.serialize(serializer),
    }
}

/// Reads it; `number` is what the number is.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D, number: &'static str) -> Result<ByClass, D::Error> {
    deserializer.deserialize_any(Form { number })
}

struct Form {
    number: &'static str,
}

impl<'de> Visitor<'de> for Form {
    type Value = ByClass;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`balanced`, or a map from class to {}", self.number)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ByClass, E> {
        if name == BALANCED { Ok(None) } else { Err(E::unknown_variant(name, &[BALANCED])) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ByClass, A::Error> {
        IndexMap::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
