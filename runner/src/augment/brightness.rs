//! `brightness`.

use super::arguments::check_within;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Multiplies every value by a random factor from `[max(0, 1 - spread), 1 + spread]`, as the
/// brightness of torchvision's `ColorJitter`.
///
/// `brightness: 0.2`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Brightness {
    /// How far the factor may be from 1, in [0, 100].
    pub spread: f32,
}

impl ImageAugment for Brightness {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.spread, 0.0..=100.0, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        colour::brighten(&mut image, random.range((1.0 - self.spread).max(0.0), 1.0 + self.spread));
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    #[test]
    fn all_of_the_range_is_used_and_no_more() {
        let image = grey(&[[100, 50]]);
        let drawn: Vec<Vec<u8>> = (0..400).map(|n| apply(&Brightness { spread: 0.5 }, &image, n).bytes).collect();
        assert!(drawn.iter().all(|bytes| (50..=150).contains(&bytes[0]) && bytes[0].abs_diff(2 * bytes[1]) <= 2));
        assert!(drawn.iter().any(|bytes| bytes[0] < 55) && drawn.iter().any(|bytes| bytes[0] > 145));
        assert_eq!(apply(&Brightness { spread: 0.0 }, &image, 0), image);
    }

    #[test]
    fn a_spread_below_zero_is_refused() {
        assert_eq!(refused(&Brightness { spread: -0.1 }), ["a"]);
        assert_eq!(refused(&Brightness { spread: f32::NAN }), ["a"]);
        assert!(refused(&Brightness { spread: 3.0 }).is_empty());
    }
}
