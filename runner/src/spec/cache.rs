//! `cache:` in a spec.

use super::check::range;
use super::{Bytes, Path, Problems};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// What a phase's frozen prefix gives for an image, computed once and kept, instead of anew in every epoch.
/// The plan says of each phase whether it is, and if not, why not.
///
/// `cache: { views: 8, memory: 2GiB }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Of which images: `exact`, a number of draws, or `off`.
    ///
    /// `exact` keeps only what is the same in every epoch, so that results are equal to the last bit to
    /// those without a cache: images that are validated, and images that train unless augmentation varies
    /// them. A number keeps so many augmented draws of each image that trains, and takes them in turn, an
    /// epoch each, where otherwise every epoch had a draw of its own.
    #[serde(default, skip_serializing_if = "Views::is_default")]
    pub views: Views,
    /// Up to so much is kept in memory.
    #[serde(default = "Cache::default_memory")]
    pub memory: Bytes,
    /// What is more than that is kept in files of together at most this size, in `features` in the cache
    /// folder (`$RUNNER_CACHE`, else `~/.cache/runner`), where later runs find it. `0B` keeps none.
    #[serde(default = "Cache::default_disk")]
    pub disk: Bytes,
    /// As what values are kept: `f32`, or `f16`, which takes half the room and rounds them to 11 bits.
    #[serde(default, skip_serializing_if = "Precision::is_default")]
    pub precision: Precision,
}

impl Default for Cache {
    fn default() -> Self {
        Cache {
            views: Views::default(),
            memory: Cache::default_memory(),
            disk: Cache::default_disk(),
            precision: Precision::default(),
        }
    }
}

impl Cache {
    fn default_memory() -> Bytes {
        Bytes(1 << 30)
    }

    fn default_disk() -> Bytes {
        Bytes(4 << 30)
    }

    /// Whether it is what a spec without it means.
    pub fn is_default(&self) -> bool {
        *self == Cache::default()
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        if let Views::Draws(draws) = self.views {
            range(problems, at.key("views"), &draws, 1..=10_000, "the number of draws");
        }
    }
}

/// As what values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits, as they are computed.
    #[default]
    F32,
    /// 16 bits (IEEE 754 binary16): rounded, to 11 bits.
    F16,
}

impl Precision {
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    fn is_default(&self) -> bool {
        *self == Precision::F32
    }

    /// Bytes a value.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F16 => 2,
        }
    }
}

/// Of which images what the prefix gives is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Views {
    /// Of none.
    Off,
    /// Of those that are the same in every epoch.
    #[default]
    Exact,
    /// Of those, and of so many augmented draws of each that trains.
    Draws(usize),
}

impl Views {
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    fn is_default(&self) -> bool {
        *self == Views::Exact
    }
}

/// What is read again as the same.
impl fmt::Display for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Views::Off => f.write_str("off"),
            Views::Exact => f.write_str("exact"),
            Views::Draws(draws) => write!(f, "{draws}"),
        }
    }
}

impl Serialize for Views {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Views::Draws(draws) => serializer.serialize_u64(*draws as u64),
            Views::Off | Views::Exact => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Views {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = Views;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`exact`, `off`, or a number of draws")
    }

    fn visit_u64<E: Error>(self, draws: u64) -> Result<Views, E> {
        usize::try_from(draws).map(Views::Draws).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, draws: i64) -> Result<Views, E> {
        usize::try_from(draws).map(Views::Draws).map_err(|_| E::custom("a number of draws cannot be negative"))
    }

    /// `off` is a truth value to YAML 1.1.
    fn visit_bool<E: Error>(self, on: bool) -> Result<Views, E> {
        Ok(if on { Views::Exact } else { Views::Off })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Views, E> {
        match text.trim() {
            "exact" => Ok(Views::Exact),
            "off" => Ok(Views::Off),
            digits => digits.parse().map(Views::Draws).map_err(|_| {
                E::custom(format!("`{digits}` says of no views: expected `exact`, `off`, or a number of draws"))
            }),
        }
    }
}

impl JsonSchema for Views {
    fn schema_name() -> Cow<'static, str> {
        "CachedViews".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Of which images what the frozen prefix gives is kept: `exact`, `off`, or a number of draws.",
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "boolean" },
                { "type": "string", "pattern": "^ *(exact|off|[0-9]+) *$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_read_as_people_write_them() {
        for (text, views) in [
            ("exact", Views::Exact),
            ("off", Views::Off),
            ("false", Views::Off),
            ("4", Views::Draws(4)),
            ("'4'", Views::Draws(4)),
        ] {
            assert_eq!(serde_yaml::from_str::<Views>(text).unwrap(), views, "{text}");
            assert_eq!(serde_yaml::from_str::<Views>(&views.to_string()).unwrap(), views);
        }
        for text in ["none", "-3", "1.5", "[]"] {
            assert!(serde_yaml::from_str::<Views>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_draws_are_refused() {
        let mut problems = Problems::default();
        let cache: Cache = serde_yaml::from_str("{ views: 0 }").unwrap();
        cache.check(&Path::of("cache"), &mut problems);
        assert_eq!(problems.0.len(), 1);
        assert_eq!(problems.0[0].path.to_string(), "cache.views");
    }
}
