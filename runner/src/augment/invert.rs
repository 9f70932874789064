//! `invert`.

use super::arguments::check_probability;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Inverts every value with this probability: black becomes white.
///
/// `invert: 0.1`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Invert {
    /// Probability, in [0, 1].
    pub p: f32,
}

impl ImageAugment for Invert {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_probability(self.p, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        if random.chance(self.p) {
            colour::map(&mut image, |value| 255 - value);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    #[test]
    fn black_becomes_white() {
        assert_eq!(apply(&Invert { p: 1.0 }, &grey(&[[0, 255, 100]]), 0).bytes, [255, 0, 155]);
    }

    #[test]
    fn it_happens_as_often_as_it_says() {
        let image = grey(&[[3, 200]]);
        let image = Pixels { channels: 3, bytes: vec![3, 200, 9, 40, 60, 80], ..image };
        let count = (0..2000).filter(|&n| apply(&Invert { p: 0.3 }, &image, n) != image).count();
        assert!((540..660).contains(&count), "{count} of 2000");
    }

    #[test]
    fn only_probabilities_pass() {
        assert_eq!(refused(&Invert { p: 1.5 }), ["a"]);
        assert_eq!(refused(&Invert { p: f32::NAN }), ["a"]);
    }
}
