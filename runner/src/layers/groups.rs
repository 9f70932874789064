//! How the channels of a convolution are divided.

use super::arguments::{self, CountOrWord};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// How the channels of a convolution are divided: into a number of groups, or `depthwise`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// A group a channel.
    Depthwise,
    /// This many groups.
    Count(usize),
}

impl Groups {
    /// How many groups there are over `channels`.
    pub fn over(self, channels: usize) -> usize {
        match self {
            Groups::Depthwise => channels,
            Groups::Count(count) => count,
        }
    }

    /// True for one group: the ordinary convolution.
    pub fn is_one(&self) -> bool {
        *self == Groups::Count(1)
    }
}

impl Default for Groups {
    fn default() -> Self {
        Groups::Count(1)
    }
}

impl CountOrWord for Groups {
    const WORD: &'static str = "depthwise";

    fn word() -> Self {
        Groups::Depthwise
    }

    fn count(count: usize) -> Self {
        Groups::Count(count)
    }
}

impl Serialize for Groups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Groups::Depthwise => serializer.serialize_str(Self::WORD),
            Groups::Count(count) => count.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Groups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        arguments::count_or_word(deserializer)
    }
}

impl JsonSchema for Groups {
    fn schema_name() -> Cow<'static, str> {
        "Groups".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        arguments::count_or_word_schema::<Self>("A number of groups, or `depthwise` for a group a channel.")
    }
}
