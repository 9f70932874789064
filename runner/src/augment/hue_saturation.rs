//! `hue_saturation`.

use super::arguments::check_within;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Turns the hue and changes the saturation, at random. Grey images have neither.
///
/// `hue_saturation: { hue: 0.05, saturation: 0.3 }`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HueSaturation {
    /// The greatest turn of the hue in either direction, as a share of the colour wheel, in [0, 0.5].
    pub hue: f32,
    /// How far the factor of the saturation may be from 1, in [0, 100].
    pub saturation: f32,
}

impl ImageAugment for HueSaturation {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.hue, 0.0..=0.5, at.key("hue"), problems);
        check_within(self.saturation, 0.0..=100.0, at.key("saturation"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        colour::shift_hue(&mut image, random.range(-self.hue, self.hue));
        colour::saturate(&mut image, random.range((1.0 - self.saturation).max(0.0), 1.0 + self.saturation));
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    fn orange() -> Pixels {
        Pixels { height: 1, width: 1, channels: 3, bytes: vec![200, 100, 50] }
    }

    #[test]
    fn the_hue_turns_both_ways_and_keeps_value_and_chroma() {
        let drawn = (0..200).map(|n| apply(&HueSaturation { hue: 0.1, saturation: 0.0 }, &orange(), n).bytes);
        let drawn: Vec<_> = drawn.collect();
        assert!(drawn.iter().all(|rgb| rgb.iter().max() == Some(&200) && rgb.iter().min() == Some(&50)), "{drawn:?}");
        assert!(drawn.iter().any(|rgb| rgb[1] > 150) && drawn.iter().any(|rgb| rgb[2] > 50), "{drawn:?}");
    }

    #[test]
    fn saturation_moves_channels_about_the_luminance() {
        // The luminance is 124.
        let drawn = (0..200).map(|n| apply(&HueSaturation { hue: 0.0, saturation: 1.0 }, &orange(), n).bytes);
        let drawn: Vec<_> = drawn.collect();
        assert!(drawn.iter().all(|rgb| rgb[0] >= 124 && rgb[1] <= 124 && rgb[2] <= 124), "{drawn:?}");
        assert!(drawn.iter().any(|rgb| rgb[0] < 135) && drawn.iter().any(|rgb| rgb[2] < 5), "{drawn:?}");
    }

    #[test]
    fn grey_stays_and_nonsense_is_refused() {
        let image = grey(&[[1, 100, 255]]);
        assert_eq!(apply(&HueSaturation { hue: 0.5, saturation: 1.0 }, &image, 0), image);
        assert_eq!(refused(&HueSaturation { hue: 0.6, saturation: -1.0 }), ["a.hue", "a.saturation"]);
    }
}
