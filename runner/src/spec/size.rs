//! A size: one number for both directions, or (vertical, horizontal).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// `3` or `[1, 7]`: one number for both directions, or vertical and horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size(pub [usize; 2]);

impl From<usize> for Size {
    fn from(both: usize) -> Self {
        Size([both, both])
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.0[0], self.0[1])
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0[0] == self.0[1] { self.0[0].serialize(serializer) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or two: [vertical, horizontal]")
    }

    fn visit_u64<E: Error>(self, both: u64) -> Result<Size, E> {
        usize::try_from(both).map(Size::from).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, both: i64) -> Result<Size, E> {
        usize::try_from(both).map(Size::from).map_err(|_| E::custom("a size cannot be negative"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Size, A::Error> {
        let mut next = |n| seq.next_element()?.ok_or_else(|| A::Error::invalid_length(n, &self));
        let size = Size([next(0)?, next(1)?]);
        match seq.next_element::<usize>()? {
            None => Ok(size),
            Some(_) => Err(A::Error::invalid_length(3, &self)),
        }
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One number for both directions, or [vertical, horizontal].",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "array", "items": { "type": "integer", "minimum": 0 }, "minItems": 2, "maxItems": 2 }
            ]
        })
    }
}
