//! An amount of memory.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An amount of memory: `2GiB`, `512MiB`, `1.5GB`, or a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

const EXPECTED: &str = "an amount of memory such as `2GiB`, `512MiB`, `1.5GB`, or a number of bytes";

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no amount of memory: expected {EXPECTED}");
        let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &text.trim()[digits.len()..];
        let known = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
        let size = if unit.is_empty() { 1 } else { known.ok_or_else(wrong)?.1 };
        let number = digits.trim();
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(size).map(Bytes).ok_or_else(|| format!("`{text}` is more than there can be"));
        }
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let bytes = (number * size as f64).round();
        // Up to 2^63, so that rounding cannot reach beyond what a number of bytes holds.
        if (0.0..9.2e18).contains(&bytes) { Ok(Bytes(bytes as u64)) } else { Err(wrong()) }
    }
}

/// The largest binary unit that gives a whole number: what is read again as the same.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS[..4].iter().find(|(_, size)| self.0 > 0 && self.0.is_multiple_of(*size));
        match unit {
            Some((name, size)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<Bytes, E> {
        u64::try_from(bytes).map(Bytes).map_err(|_| E::custom("an amount of memory cannot be negative"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An amount of memory: `2GiB`, `512MiB`, `1.5GB`, or a number of bytes.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^ *[0-9]+([.][0-9]+)? *([KkMGT]i?)?B? *$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("2GiB", 2 << 30),
            ("512MiB", 512 << 20),
            ("1.5GB", 1_500_000_000),
            ("0.5 MiB", 1 << 19),
            ("3kb", 3000),
            ("7B", 7),
            ("123", 123),
        ] {
            assert_eq!(text.parse::<Bytes>(), Ok(Bytes(bytes)), "{text}");
        }
        assert_eq!(serde_yaml::from_str::<Bytes>("1048576").unwrap(), Bytes(1 << 20));
    }

    #[test]
    fn what_is_no_amount_is_told() {
        for text in ["", "GiB", "2 GigaByte", "-1MiB", "1e3MiB", "NaNMB", "20000000TiB", "1.5.2GB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        let error = serde_yaml::from_str::<Bytes>("-5").unwrap_err().to_string();
        assert!(error.contains("cannot be negative"), "{error}");
    }

    #[test]
    fn an_amount_is_written_so_that_it_is_read_as_the_same() {
        for (bytes, text) in [(2 << 30, "2GiB"), (1536 << 20, "1536MiB"), (1_500_000_000, "1500000000B"), (0, "0B")] {
            assert_eq!(Bytes(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(Bytes(bytes)));
        }
    }
}
