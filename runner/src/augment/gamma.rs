//! `gamma`.

use super::arguments::check_range;
use super::colour::{map, to_byte};
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Raises every value, as a share of white, to a random power: below 1 the image gets lighter, above
/// 1 darker; black and white stay. The power's logarithm is drawn evenly between the two given.
///
/// `gamma: [0.7, 1.4]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Gamma {
    /// Least and greatest power, in [0.05, 20].
    pub range: [f32; 2],
}

impl ImageAugment for Gamma {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_range(self.range, 0.05..=20.0, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let power = random.range(self.range[0].ln(), self.range[1].ln()).exp();
        map(&mut image, |value| to_byte(255.0 * (f32::from(value) / 255.0).powf(power)));
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    #[test]
    fn the_middle_moves_and_the_ends_stay() {
        let image = grey(&[[0, 64, 255]]);
        // 255 * (64 / 255) ^ 0.5 = 127.7; ^ 2 = 16.06.
        assert_eq!(apply(&Gamma { range: [0.5, 0.5] }, &image, 0).bytes, [0, 128, 255]);
        assert_eq!(apply(&Gamma { range: [2.0, 2.0] }, &image, 0).bytes, [0, 16, 255]);
    }

    #[test]
    fn lighter_and_darker_are_as_likely() {
        let image = grey(&[[100]]);
        let lighter = (0..1000).filter(|&n| apply(&Gamma { range: [0.5, 2.0] }, &image, n).bytes[0] > 100).count();
        assert!((440..560).contains(&lighter), "{lighter} of 1000");
    }

    #[test]
    fn only_ranges_of_powers_pass() {
        for range in [[0.0, 1.0], [2.0, 1.0], [1.0, f32::NAN], [1.0, 21.0]] {
            assert_eq!(refused(&Gamma { range }), ["a"], "{range:?}");
        }
    }
}
