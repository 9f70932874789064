//! A setting that is one map, or a list of such.

use super::Path;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// `{ ... }`, or a list of such. It is written back in the form in which it was read.
#[derive(Debug, Clone, PartialEq)]
pub enum OneOrList<T> {
    /// One.
    One(T),
    /// A list.
    List(Vec<T>),
}

impl<T> OneOrList<T> {
    /// Each of them, with its place in the spec; `at` is where the setting stands.
    pub fn with_places(&self, at: &Path) -> Vec<(Path, &T)> {
        match self {
            OneOrList::One(one) => vec![(at.clone(), one)],
            OneOrList::List(list) => list.iter().enumerate().map(|(i, entry)| (at.index(i), entry)).collect(),
        }
    }

    /// Each of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        match self {
            OneOrList::One(one) => std::slice::from_mut(one).iter_mut(),
            OneOrList::List(list) => list.iter_mut(),
        }
    }
}

impl<T: Serialize> Serialize for OneOrList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            OneOrList::One(one) => one.serialize(serializer),
            OneOrList::List(list) => list.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form(PhantomData))
    }
}

struct Form<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Form<T> {
    type Value = OneOrList<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, or a list of maps")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(OneOrList::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrList::List)
    }
}

impl<T: JsonSchema> JsonSchema for OneOrList<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrList_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({
            "description": "One, or a list of several.",
            "anyOf": [one, { "type": "array", "items": one }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Allow;

    fn read(yaml: &str) -> Result<OneOrList<Allow>, String> {
        let mut track = serde_path_to_error::Track::new();
        let value: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
        OneOrList::deserialize(serde_path_to_error::Deserializer::new(value, &mut track))
            .map_err(|error| format!("{}: {error}", track.path()))
    }

    #[test]
    fn both_forms_are_read_and_written_back_as_they_were() {
        for (yaml, count) in [("missing:\n- a\n", 1), ("- missing:\n  - a\n- shape:\n  - b\n", 2), ("[]\n", 0)] {
            let read = read(yaml).unwrap();
            assert_eq!(read.with_places(&Path::of("x")).len(), count);
            assert_eq!(serde_yaml::to_string(&read).unwrap(), yaml);
        }
    }

    #[test]
    fn places_are_those_of_the_form() {
        let places = |yaml: &str| -> Vec<String> {
            read(yaml).unwrap().with_places(&Path::of("a.b")).iter().map(|(path, _)| path.to_string()).collect()
        };
        assert_eq!(places("{}"), ["a.b"]);
        assert_eq!(places("[{}, {}]"), ["a.b.0", "a.b.1"]);
    }

    #[test]
    fn errors_are_told_where_they_are() {
        assert!(read("{ mising: [a] }").unwrap_err().starts_with("mising: unknown field `mising`"));
        assert!(read("[{}, { missing: 3 }]").unwrap_err().starts_with("[1].missing: invalid type: integer `3`"));
        assert!(read("layer3").unwrap_err().ends_with("expected a map, or a list of maps"));
    }

    #[test]
    fn the_schema_has_both_forms() {
        let schema = serde_json::to_value(schemars::schema_for!(OneOrList<Allow>)).unwrap();
        let forms = schema["anyOf"].as_array().unwrap();
        assert_eq!((&forms[0]["$ref"], &forms[1]["items"]["$ref"]), (&"#/$defs/Allow".into(), &"#/$defs/Allow".into()));
    }
}
