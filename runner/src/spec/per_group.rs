//! A setting that holds for all groups, or is given by group.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// One value for all groups (`lr: 1e-3`), or one by group, `"*"` standing for the rest
/// (`lr: { head: 1e-3, "*": 1e-4 }`).
#[derive(Debug, Clone, PartialEq)]
pub enum PerGroup<T> {
    /// The same for all.
    All(T),
    /// By group; `"*"` is the rest.
    Map(IndexMap<String, T>),
}

impl<T> PerGroup<T> {
    /// The value for a group.
    pub fn get(&self, group: &str) -> Option<&T> {
        match self {
            PerGroup::All(value) => Some(value),
            PerGroup::Map(map) => map.get(group).or_else(|| map.get("*")),
        }
    }

    /// The group names written, without `"*"`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let map = match self {
            PerGroup::All(_) => None,
            PerGroup::Map(map) => Some(map),
        };
        map.into_iter().flat_map(|map| map.keys().map(String::as_str)).filter(|name| *name != "*")
    }
}

impl<T: Serialize> Serialize for PerGroup<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PerGroup::All(value) => value.serialize(serializer),
            PerGroup::Map(map) => map.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PerGroup<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form(PhantomData))
    }
}

struct Form<T>(PhantomData<T>);

macro_rules! scalar {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E: serde::de::Error>(self, value: $type) -> Result<Self::Value, E> {
            T::deserialize(value.into_deserializer()).map(PerGroup::All)
        })*
    };
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Form<T> {
    type Value = PerGroup<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value, or a map from group to value")
    }

    scalar!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IndexMap::deserialize(MapAccessDeserializer::new(map)).map(PerGroup::Map)
    }
}

impl<T: JsonSchema> JsonSchema for PerGroup<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("PerGroup_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({
            "description": "One value for all groups, or one by group; \"*\" stands for the rest.",
            "anyOf": [value, { "type": "object", "additionalProperties": value }]
        })
    }
}
