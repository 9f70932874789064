//! `contrast`.

use super::arguments::check_within;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Multiplies every value's distance from the image's mean luminance by a random factor from
/// `[max(0, 1 - spread), 1 + spread]`, as the contrast of torchvision's `ColorJitter`.
///
/// `contrast: 0.2`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Contrast {
    /// How far the factor may be from 1, in [0, 100].
    pub spread: f32,
}

impl ImageAugment for Contrast {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.spread, 0.0..=100.0, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        colour::contrast(&mut image, random.range((1.0 - self.spread).max(0.0), 1.0 + self.spread));
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    #[test]
    fn the_mean_stays_and_the_distance_changes() {
        let image = grey(&[[90, 110]]);
        let drawn: Vec<Vec<u8>> = (0..400).map(|n| apply(&Contrast { spread: 0.8 }, &image, n).bytes).collect();
        for bytes in &drawn {
            assert!(bytes[0].abs_diff(200 - bytes[1]) <= 1, "{bytes:?}");
            assert!((2..=18).contains(&(100_u8.saturating_sub(bytes[0]))), "{bytes:?}");
        }
        assert!(drawn.iter().any(|bytes| bytes[0] > 96) && drawn.iter().any(|bytes| bytes[0] < 84));
    }

    #[test]
    fn a_spread_below_zero_is_refused() {
        assert_eq!(refused(&Contrast { spread: -0.1 }), ["a"]);
        assert_eq!(refused(&Contrast { spread: f32::INFINITY }), ["a"]);
    }
}
