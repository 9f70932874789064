//! `data.image.channels`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The most channels that an image may have.
const MOST: usize = 512;

/// How many channels the net's images have: `rgb`, `gray`, or a number (1 is `gray`, 3 is `rgb`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channels {
    /// Three channels: red, green, blue.
    #[default]
    Rgb,
    /// One channel of luminance.
    Gray,
    /// This many, neither 1 nor 3, as the arrays of an npz file have them.
    Many(usize),
}

impl Channels {
    /// How many there are.
    pub fn count(self) -> usize {
        match self {
            Channels::Rgb => 3,
            Channels::Gray => 1,
            Channels::Many(count) => count,
        }
    }

    /// Whether images of `stored` channels can be brought to these.
    pub fn take(self, stored: usize) -> bool {
        stored == self.count() || matches!(stored, 1 | 3) && !matches!(self, Channels::Many(_))
    }
}

impl Serialize for Channels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Channels::Rgb => serializer.serialize_str("rgb"),
            Channels::Gray => serializer.serialize_str("gray"),
            Channels::Many(count) => count.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Channels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = Channels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`rgb`, `gray` or a number of channels")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Channels, E> {
        match word {
            "rgb" => Ok(Channels::Rgb),
            "gray" => Ok(Channels::Gray),
            _ => Err(E::unknown_variant(word, &["rgb", "gray"])),
        }
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Channels, E> {
        match usize::try_from(count) {
            Ok(1) => Ok(Channels::Gray),
            Ok(3) => Ok(Channels::Rgb),
            Ok(count @ 2..=MOST) => Ok(Channels::Many(count)),
            _ => Err(E::custom(format!("{count} is not from 1 to {MOST}"))),
        }
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Channels, E> {
        Err(E::custom(format!("{count} is not from 1 to {MOST}")))
    }
}

impl JsonSchema for Channels {
    fn schema_name() -> Cow<'static, str> {
        "Channels".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many channels the net's images have: `rgb`, `gray`, or a number (1 is `gray`, 3 is \
                            `rgb`). Numbers other than 1 and 3 need a source that has them: `npz`.",
            "anyOf": [
                { "const": "rgb", "description": "Three channels: red, green, blue." },
                { "const": "gray", "description": "One channel of luminance." },
                { "type": "integer", "minimum": 1, "maximum": MOST }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Channels, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn words_and_numbers_are_read_and_written() {
        for (yaml, channels) in
            [("rgb", Channels::Rgb), ("gray", Channels::Gray), ("4", Channels::Many(4)), ("512", Channels::Many(512))]
        {
            assert_eq!(read(yaml), Ok(channels));
            assert_eq!(serde_yaml::to_string(&channels).unwrap().trim(), yaml);
        }
        assert_eq!((read("1"), read("3")), (Ok(Channels::Gray), Ok(Channels::Rgb)));
        for (yaml, said) in [("0", "0 is not from 1 to 512"), ("-1", "-1 is not"), ("513", "513"), ("grey", "`gray`")] {
            assert!(read(yaml).unwrap_err().contains(said), "{yaml}");
        }
    }

    #[test]
    fn grey_and_colour_become_each_other_and_nothing_else_does() {
        let taken = |channels: Channels| (1..6).filter(|&stored| channels.take(stored)).collect::<Vec<_>>();
        assert_eq!(taken(Channels::Rgb), [1, 3]);
        assert_eq!(taken(Channels::Gray), [1, 3]);
        assert_eq!(taken(Channels::Many(4)), [4]);
    }
}
