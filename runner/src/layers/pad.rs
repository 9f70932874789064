//! The padding of convolutions and pools, as YAML has it.

use super::arguments;
use crate::engine::{Padding, Window};
use crate::spec::size::Size;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Padding: pixels on each side (`1`, or `[vertical, horizontal]`), `same`, or
/// `{ top, left, bottom, right }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// As many pixels above as below, and left as right.
    Each(Size),
    /// As TensorFlow's 'SAME': the output has `ceil(size / stride)` pixels, and an odd pixel goes
    /// to the bottom and right.
    Same,
    /// Each side on its own.
    Sides(Padding),
}

impl Default for Pad {
    fn default() -> Self {
        Pad::Each(Size([0, 0]))
    }
}

impl From<usize> for Pad {
    fn from(pixels: usize) -> Self {
        Pad::Each(Size::from(pixels))
    }
}

impl From<[usize; 2]> for Pad {
    fn from(pixels: [usize; 2]) -> Self {
        Pad::Each(Size(pixels))
    }
}

impl From<Padding> for Pad {
    fn from(sides: Padding) -> Self {
        Pad::Sides(sides)
    }
}

impl Pad {
    /// The window with this padding over an image of `size`.
    pub(super) fn window(self, size: [usize; 2], kernel: Size, stride: Size, dilation: Size) -> Window {
        let padding = match self {
            Pad::Each(Size([vertical, horizontal])) => Padding::symmetric(vertical, horizontal),
            Pad::Same => Padding::same(size, kernel.0, stride.0, dilation.0),
            Pad::Sides(sides) => sides,
        };
        Window { kernel: kernel.0, stride: stride.0, dilation: dilation.0, padding }
    }
}

/// [`Padding`] as YAML has it.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    #[serde(default, deserialize_with = "arguments::margin")]
    top: usize,
    #[serde(default, deserialize_with = "arguments::margin")]
    left: usize,
    #[serde(default, deserialize_with = "arguments::margin")]
    bottom: usize,
    #[serde(default, deserialize_with = "arguments::margin")]
    right: usize,
}

impl Serialize for Pad {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Pad::Each(size) => size.serialize(serializer),
            Pad::Same => serializer.serialize_str("same"),
            Pad::Sides(Padding { top, left, bottom, right }) => {
                Sides { top, left, bottom, right }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Pad {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Pad;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, [vertical, horizontal], `same`, or { top, left, bottom, right }")
    }

    fn visit_u64<E: Error>(self, pixels: u64) -> Result<Pad, E> {
        let pixels = usize::try_from(pixels).map_err(E::custom)?;
        arguments::checked_margin(pixels).map(Pad::from).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, pixels: i64) -> Result<Pad, E> {
        Err(E::invalid_value(Unexpected::Signed(pixels), &self))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Pad, E> {
        if word == "same" { Ok(Pad::Same) } else { Err(E::invalid_value(Unexpected::Str(word), &self)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Pad, A::Error> {
        let size = Size::deserialize(SeqAccessDeserializer::new(seq))?;
        for pixels in size.0 {
            arguments::checked_margin(pixels).map_err(A::Error::custom)?;
        }
        Ok(Pad::Each(size))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Pad, A::Error> {
        let Sides { top, left, bottom, right } = Sides::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Pad::Sides(Padding { top, left, bottom, right }))
    }
}

impl JsonSchema for Pad {
    fn schema_name() -> Cow<'static, str> {
        "Padding".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let side = json_schema!({ "type": "integer", "minimum": 0, "default": 0 });
        json_schema!({
            "description": "Pixels on each side (`1`, or `[vertical, horizontal]`); `same` for TensorFlow's \
                'SAME', an odd pixel going to the bottom and right; or each side on its own.",
            "anyOf": [
                generator.subschema_for::<Size>(),
                { "const": "same" },
                {
                    "type": "object",
                    "properties": { "top": side, "left": side, "bottom": side, "right": side },
                    "additionalProperties": false
                }
            ]
        })
    }
}
