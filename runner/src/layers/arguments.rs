//! Arguments of layers: numbers within bounds, and a number or a word.
//!
//! The upper bounds are far above any real net. They keep products of sizes from overflowing.

use crate::spec::size::Size;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// The most channels, features or groups.
const MAX_COUNT: usize = 1 << 16;

/// The most pixels in one direction.
const MAX_PIXELS: usize = 1 << 12;

/// A number of channels or features.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    checked_count(usize::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A kernel, stride or dilation.
pub(super) fn pixels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
    let size = Size::deserialize(deserializer)?;
    for pixels in size.0 {
        if !(1..=MAX_PIXELS).contains(&pixels) {
            return Err(D::Error::custom(format!("{pixels} is not from 1 to {MAX_PIXELS}")));
        }
    }
    Ok(size)
}

/// A kernel, stride or dilation that may be missing.
pub(super) fn some_pixels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Size>, D::Error> {
    pixels(deserializer).map(Some)
}

/// Pixels of padding on one side.
pub(super) fn margin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    checked_margin(usize::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// `pixels`, if it may be a padding.
pub(super) fn checked_margin(pixels: usize) -> Result<usize, String> {
    if pixels <= MAX_PIXELS { Ok(pixels) } else { Err(format!("{pixels} is not from 0 to {MAX_PIXELS}")) }
}

/// A probability below 1.
pub(super) fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let p = f64::deserialize(deserializer)?;
    if (0.0..1.0).contains(&p) { Ok(p) } else { Err(D::Error::custom(format!("{p} is not from 0 to below 1"))) }
}

/// A standard deviation.
pub(super) fn deviation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let deviation = f64::deserialize(deserializer)?;
    if deviation.is_finite() && deviation >= 0.0 {
        Ok(deviation)
    } else {
        Err(D::Error::custom(format!("{deviation} is not a number from 0 on")))
    }
}

/// A share, 1 included.
pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(D::Error::custom(format!("{share} is not from 0 to 1"))) }
}

/// A small number above 0 that is added to a variance.
pub(super) fn epsilon<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let eps = f64::deserialize(deserializer)?;
    if eps > 0.0 && eps <= 1.0 { Ok(eps) } else { Err(D::Error::custom(format!("{eps} is not above 0 and up to 1"))) }
}

fn checked_count(count: usize) -> Result<usize, String> {
    if (1..=MAX_COUNT).contains(&count) { Ok(count) } else { Err(format!("{count} is not from 1 to {MAX_COUNT}")) }
}

/// An argument that is a count, or one word in place of it.
pub(super) trait CountOrWord: Sized {
    /// The word.
    const WORD: &'static str;

    /// What the word means.
    fn word() -> Self;

    /// What a count means.
    fn count(count: usize) -> Self;
}

/// Reads a count from 1, or the word.
pub(super) fn count_or_word<'de, T: CountOrWord, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Form(PhantomData))
}

/// The schema of a count from 1, or a word.
pub(super) fn count_or_word_schema<T: CountOrWord>(description: &str) -> schemars::Schema {
    schemars::json_schema!({
        "description": description,
        "anyOf": [{ "type": "integer", "minimum": 1, "maximum": MAX_COUNT }, { "const": T::WORD }]
    })
}

struct Form<T>(PhantomData<T>);

impl<T: CountOrWord> Visitor<'_> for Form<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 1, or `{}`", T::WORD)
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<T, E> {
        let count = usize::try_from(count).map_err(E::custom)?;
        checked_count(count).map(T::count).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<T, E> {
        Err(E::custom(format!("{count} is not from 1 to {MAX_COUNT}")))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        if word == T::WORD { Ok(T::word()) } else { Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)) }
    }
}
