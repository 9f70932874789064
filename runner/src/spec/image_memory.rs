//! `data.cache`.

use super::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// How much memory decoded images may take that are kept from epoch to epoch: `512MiB`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageMemory {
    /// None is kept.
    Off,
    /// As many as fit.
    UpTo(Bytes),
}

impl Serialize for ImageMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ImageMemory::Off => serializer.serialize_str("off"),
            ImageMemory::UpTo(bytes) => bytes.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ImageMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = ImageMemory;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`off`, or an amount of memory such as `512MiB`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ImageMemory, E> {
        if text == "off" {
            return Ok(ImageMemory::Off);
        }
        let wrong = || format!("`{text}` is neither `off` nor an amount of memory such as `512MiB`");
        text.parse().map(ImageMemory::UpTo).map_err(|_| E::custom(wrong()))
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<ImageMemory, E> {
        Ok(ImageMemory::UpTo(Bytes(bytes)))
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<ImageMemory, E> {
        let bytes = u64::try_from(bytes).map_err(|_| E::custom("an amount of memory cannot be negative"))?;
        self.visit_u64(bytes)
    }
}

impl JsonSchema for ImageMemory {
    fn schema_name() -> Cow<'static, str> {
        "ImageMemory".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let amount = generator.subschema_for::<Bytes>();
        json_schema!({
            "description": "How much memory images may take that are kept decoded: `512MiB`, or `off`.",
            "anyOf": [{ "const": "off", "description": "None is kept." }, amount]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_off_or_an_amount() {
        let read = |yaml: &str| serde_yaml::from_str::<ImageMemory>(yaml).map_err(|error| error.to_string());
        assert_eq!(read("off"), Ok(ImageMemory::Off));
        assert_eq!(read("512MiB"), Ok(ImageMemory::UpTo(Bytes(512 << 20))));
        assert_eq!(read("1024"), Ok(ImageMemory::UpTo(Bytes(1024))));
        assert!(read("on").unwrap_err().contains("`on` is neither `off` nor an amount of memory"));
        assert!(read("-1").unwrap_err().contains("cannot be negative"));
        for cache in [ImageMemory::Off, ImageMemory::UpTo(Bytes(3 << 20))] {
            assert_eq!(read(&serde_yaml::to_string(&cache).unwrap()), Ok(cache));
        }
    }
}
