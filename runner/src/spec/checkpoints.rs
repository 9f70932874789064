//! `checkpoint:` in a spec.

use super::check::range;
use super::{Path, Problem, Problems};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// When the run's position is saved, besides at the ends of epochs and phases. Without `every`, epochs are passed
/// over that are so short that saving would take more than a twentieth of the time; what is saved in the end, and
/// where a run goes on after a break, is the same.
///
/// `checkpoint: { every: 2min, keep: 3 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// Within epochs as well, and at the end of each: after so many steps (`100`), or so much time (`90s`, `2min`, `1h`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Every>,
    /// How many checkpoints are kept, at least 1: should the last be damaged, the run goes on from the one
    /// before.
    #[serde(default = "Checkpoints::default_keep")]
    pub keep: usize,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Checkpoints { every: None, keep: Self::default_keep() }
    }
}

impl Checkpoints {
    fn default_keep() -> usize {
        2
    }

    /// Whether it is what a spec without it means.
    pub fn is_default(&self) -> bool {
        *self == Checkpoints::default()
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("keep"), &self.keep, 1..=100, "the number of checkpoints");
        match self.every {
            Some(Every::Steps(0)) => {
                problems.push(Problem::new(at.key("every"), "a checkpoint every 0 steps cannot be"));
            }
            Some(Every::Time(time)) if time.is_zero() => {
                problems.push(Problem::new(at.key("every"), "a checkpoint every 0 seconds cannot be"));
            }
            _ => {}
        }
    }
}

/// A distance between checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Steps.
    Steps(u64),
    /// Time. How many steps lie between is then not known beforehand.
    Time(Duration),
}

const UNITS: [(&str, f64); 8] = [
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("ms", 0.001),
    ("d", 86400.0),
    ("hour", 3600.0),
];

const EXPECTED: &str = "a number of steps such as `100`, or a time such as `90s`, `2min`, `1h`";

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no distance between checkpoints: expected {EXPECTED}");
        let trimmed = text.trim();
        let digits = trimmed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let (number, unit) = (digits.trim(), &trimmed[digits.len()..]);
        if let ("" | "step" | "steps", Ok(steps)) = (unit, number.parse::<u64>()) {
            return Ok(Every::Steps(steps));
        }
        let seconds = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        Duration::try_from_secs_f64(number * seconds).map(Every::Time).map_err(|_| wrong())
    }
}

/// What is read again as the same.
impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Every::Steps(steps) => write!(f, "{steps}"),
            Every::Time(time) if time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(60) => {
                write!(f, "{}min", time.as_secs() / 60)
            }
            Every::Time(time) => write!(f, "{}s", time.as_secs_f64()),
        }
    }
}

impl Serialize for Every {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Every::Steps(steps) => serializer.serialize_u64(*steps),
            Every::Time(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = Every;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, steps: u64) -> Result<Every, E> {
        Ok(Every::Steps(steps))
    }

    fn visit_i64<E: Error>(self, steps: i64) -> Result<Every, E> {
        u64::try_from(steps).map(Every::Steps).map_err(|_| E::custom("a number of steps cannot be negative"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Every, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Every {
    fn schema_name() -> Cow<'static, str> {
        "Every".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A distance between checkpoints: steps (`100`), or time (`90s`, `2min`, `1h`).",
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": "^ *[0-9]+([.][0-9]+)? *(s|sec|m|min|h|ms|d|hour|steps?)? *$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_read_as_people_write_them() {
        let time = |seconds| Every::Time(Duration::from_secs_f64(seconds));
        for (text, every) in [
            ("100", Every::Steps(100)),
            ("100 steps", Every::Steps(100)),
            ("2min", time(120.0)),
            ("1.5 h", time(5400.0)),
            ("90s", time(90.0)),
            ("250ms", time(0.25)),
        ] {
            assert_eq!(serde_yaml::from_str::<Every>(text).unwrap(), every, "{text}");
            assert_eq!(every.to_string().parse(), Ok(every), "{text}");
        }
    }

    #[test]
    fn what_is_no_distance_is_told() {
        for text in ["", "min", "-1min", "2 fortnights", "1e3s", "1.5", "NaNs", "99999999999999999999h"] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
        let error = serde_yaml::from_str::<Every>("-5").unwrap_err().to_string();
        assert!(error.contains("cannot be negative"), "{error}");
    }

    #[test]
    fn nothing_every_0_steps() {
        let mut problems = Problems::default();
        let checkpoints: Checkpoints = serde_yaml::from_str("{ every: 0, keep: 0 }").unwrap();
        checkpoints.check(&Path::of("checkpoint"), &mut problems);
        let paths: Vec<String> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["checkpoint.keep", "checkpoint.every"]);
    }
}
