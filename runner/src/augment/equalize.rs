//! `equalize`.

use super::arguments::check_probability;
use super::{Context, ImageAugment, Pixels, histogram};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Spreads the values of each channel so that all are about equally frequent, with this probability.
/// As Pillow's `ImageOps.equalize` and torchvision's `RandomEqualize`.
///
/// `equalize: 0.2`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Equalize {
    /// Probability, in [0, 1].
    pub p: f32,
}

impl ImageAugment for Equalize {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_probability(self.p, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        if random.chance(self.p) {
            histogram::equalize(&mut image);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, waves};
    use super::*;

    #[test]
    fn values_close_together_are_spread_over_all_there_are() {
        // Eight rows of each value from 100 to 107.
        let bytes = (0..64 * 64).map(|i| 100 + (i / 512) as u8).collect();
        let image = Pixels { height: 64, width: 64, channels: 1, bytes };
        let out = apply(&Equalize { p: 1.0 }, &image, 0);
        assert_eq!((out.bytes[0], out.bytes[4095]), (0, 255));
        assert!(out.bytes.windows(2).all(|pair| pair[0] <= pair[1]), "the order stays");
    }

    #[test]
    fn it_happens_as_often_as_it_says() {
        let image = waves(24, 24, 3);
        let count = (0..1000).filter(|&n| apply(&Equalize { p: 0.3 }, &image, n) != image).count();
        assert!((250..350).contains(&count), "{count} of 1000");
    }

    #[test]
    fn only_probabilities_pass() {
        assert_eq!(refused(&Equalize { p: 1.5 }), ["a"]);
        assert_eq!(refused(&Equalize { p: f32::NAN }), ["a"]);
    }
}
