//! `grayscale`.

use super::arguments::check_probability;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Takes the colours away with this probability; the number of channels stays. The luminance is that
/// of ITU-R BT.601, as in torchvision's `RandomGrayscale`.
///
/// `grayscale: 0.1`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Grayscale {
    /// Probability, in [0, 1].
    pub p: f32,
}

impl ImageAugment for Grayscale {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_probability(self.p, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        if random.chance(self.p) {
            colour::grey(&mut image);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    #[test]
    fn every_channel_holds_the_luminance() {
        let image = Pixels { height: 1, width: 2, channels: 3, bytes: vec![255, 0, 0, 200, 100, 50] };
        assert_eq!(apply(&Grayscale { p: 1.0 }, &image, 0).bytes, [76, 76, 76, 124, 124, 124]);
        assert_eq!(apply(&Grayscale { p: 1.0 }, &grey(&[[7, 9]]), 0).bytes, [7, 9]);
    }

    #[test]
    fn it_happens_as_often_as_it_says() {
        let image = grey(&[[3, 200]]);
        let image = Pixels { channels: 3, bytes: vec![3, 200, 9, 40, 60, 80], ..image };
        let count = (0..2000).filter(|&n| apply(&Grayscale { p: 0.3 }, &image, n) != image).count();
        assert!((540..660).contains(&count), "{count} of 2000");
    }

    #[test]
    fn only_probabilities_pass() {
        assert_eq!(refused(&Grayscale { p: 1.5 }), ["a"]);
        assert_eq!(refused(&Grayscale { p: f32::NAN }), ["a"]);
    }
}
