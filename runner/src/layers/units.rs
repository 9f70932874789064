//! How many outputs a layer has: a number, or one a class.

use super::arguments::{self, CountOrWord};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// How many outputs a layer has: a number, or `classes` for one a class of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// One a class of the data; resolved by [`super::AnyLayer::with_classes`].
    Classes,
    /// This many.
    Count(usize),
}

impl Units {
    /// `classes` put in for the word.
    #[must_use]
    pub fn resolved(self, classes: usize) -> Self {
        match self {
            Units::Classes => Units::Count(classes),
            Units::Count(_) => self,
        }
    }
}

impl From<usize> for Units {
    fn from(count: usize) -> Self {
        Units::Count(count)
    }
}

impl CountOrWord for Units {
    const WORD: &'static str = "classes";

    fn word() -> Self {
        Units::Classes
    }

    fn count(count: usize) -> Self {
        Units::Count(count)
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Units::Classes => serializer.serialize_str(Self::WORD),
            Units::Count(count) => count.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        arguments::count_or_word(deserializer)
    }
}

impl JsonSchema for Units {
    fn schema_name() -> Cow<'static, str> {
        "Units".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        arguments::count_or_word_schema::<Self>("A number of outputs, or `classes` for one a class of the data.")
    }
}
