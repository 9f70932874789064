//! The YAML form of catalogue entries: `- name: arguments`, or `- name` alone.
//!
//! serde's externally tagged enums take the first form only; a catalogue whose entries often need
//! no argument should take both.

use super::serde_message::HELP;
use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A catalogue: an enum whose variants are told apart by name in the YAML.
pub trait Named: Sized {
    /// What an entry is called in messages: "layer", "augmentation".
    const WHAT: &'static str;

    /// The names there are.
    const NAMES: &'static [&'static str];

    /// Whether there may be names beyond these, which [`Named::read`] takes as well.
    const OPEN: bool = false;

    /// Reads the arguments of the entry `name`.
    fn read<'de, D: Deserializer<'de>>(name: &str, arguments: D) -> Result<Self, D::Error>;
}

/// Reads an entry in either form.
pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Entry(PhantomData))
}

struct Entry<T>(PhantomData<T>);

impl<'de, T: Named> Visitor<'de> for Entry<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if T::WHAT.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        write!(f, "{article} {what}: `name` or `name: arguments`", what = T::WHAT)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        known::<T, E>(name)?;
        let nothing = std::iter::empty::<(StrDeserializer<'de, E>, StrDeserializer<'de, E>)>();
        T::read(name, MapDeserializer::new(nothing)).map_err(|error: E| {
            let error = error.to_string();
            match error.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
                Some(field) => E::custom(format!("`{name}` needs `{field}`: `{name}: {{ {field}: ... }}`")),
                None => E::custom(format!("`{name}` needs a value: `{name}: ...`")),
            }
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let Some(name) = map.next_key_seed(Name::<T>(PhantomData))? else {
            return Err(A::Error::custom(format!("the name of the {} is missing", T::WHAT)));
        };
        let entry = map.next_value_seed(Arguments { name: &name, entry: PhantomData })?;
        match map.next_key_seed(Nothing::<T>(PhantomData))? {
            None => Ok(entry),
            Some(never) => match never {},
        }
    }
}

fn known<T: Named, E: Error>(name: &str) -> Result<(), E> {
    if T::OPEN || T::NAMES.contains(&name) {
        return Ok(());
    }
    let names: Vec<String> = T::NAMES.iter().map(|name| format!("`{name}`")).collect();
    Err(E::custom(format!("unknown {} `{name}`, expected one of {}", T::WHAT, names.join(", "))))
}

/// Reads the name of an entry. Its errors are those of the key, and so point at it.
struct Name<T>(PhantomData<T>);

impl<'de, T: Named> DeserializeSeed<'de> for Name<T> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<String, D::Error> {
        name.deserialize_str(self)
    }
}

impl<T: Named> Visitor<'_> for Name<T> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name of the {}", T::WHAT)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        known::<T, E>(name)?;
        Ok(name.to_owned())
    }
}

/// Takes no second name, and says so at it.
struct Nothing<T>(PhantomData<T>);

impl<'de, T: Named> DeserializeSeed<'de> for Nothing<T> {
    type Value = std::convert::Infallible;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl<T: Named> Visitor<'_> for Nothing<T> {
    type Value = std::convert::Infallible;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one {} per entry", T::WHAT)
    }

    fn visit_str<E: Error>(self, second: &str) -> Result<Self::Value, E> {
        Err(E::custom(format!(
            "one {what} per entry, and `{second}` is a second one{HELP}give it an entry of its own, or indent it if it belongs to \
             what stands above",
            what = T::WHAT
        )))
    }
}

struct Arguments<'a, T> {
    name: &'a str,
    entry: PhantomData<T>,
}

impl<'de, T: Named> DeserializeSeed<'de> for Arguments<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, arguments: D) -> Result<T, D::Error> {
        T::read(self.name, arguments)
    }
}
