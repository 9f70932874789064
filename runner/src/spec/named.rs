//! The YAML form of catalogue entries: `- name: arguments`, or `- name` alone.
//!
//! serde's externally tagged enums take the first form only; a catalogue whose entries often need
//! no argument should take both.

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
        T::read(name, MapDeserializer::new(nothing))
            .map_err(|_: E| E::custom(format!("`{name}` needs arguments: `{name}: ...`")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(A::Error::custom(format!("expected the name of a {}", T::WHAT)));
        };
        known::<T, A::Error>(&name)?;
        let entry = map.next_value_seed(Arguments { name: &name, entry: PhantomData })?;
        match map.next_key::<String>()? {
            None => Ok(entry),
            Some(second) => Err(A::Error::custom(format!(
                "one {what} an item: `{second}` belongs into an item of its own, or one level deeper",
                what = T::WHAT
            ))),
        }
    }
}

fn known<T: Named, E: Error>(name: &str) -> Result<(), E> {
    if T::NAMES.contains(&name) { Ok(()) } else { Err(E::unknown_variant(name, T::NAMES)) }
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
