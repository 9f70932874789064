//! `solarize`.

use super::arguments::check_range;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Inverts every value from a random threshold on.
///
/// `solarize: { threshold: [128, 256] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Solarize {
    /// Least and greatest threshold, in [0, 256]: 0 inverts all, 256 nothing.
    pub threshold: [u32; 2],
}

impl ImageAugment for Solarize {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_range(self.threshold, 0..=256, at.key("threshold"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let [least, greatest] = self.threshold;
        let choices = greatest.saturating_sub(least) as usize + 1;
        colour::solarize(&mut image, least + random.below(choices) as u32);
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    #[test]
    fn values_from_the_threshold_on_are_inverted() {
        let image = grey(&[[0, 99, 100, 255]]);
        assert_eq!(apply(&Solarize { threshold: [100, 100] }, &image, 0).bytes, [0, 99, 155, 0]);
        assert_eq!(apply(&Solarize { threshold: [256, 256] }, &image, 0), image);
        assert_eq!(apply(&Solarize { threshold: [0, 0] }, &image, 0).bytes, [255, 156, 155, 0]);
    }

    #[test]
    fn thresholds_are_drawn_from_the_range() {
        let inverted = (0..1000).filter(|&n| {
            // 191 is inverted by the thresholds 128 to 191 of 128 to 255.
            apply(&Solarize { threshold: [128, 255] }, &grey(&[[191]]), n).bytes[0] == 64
        });
        let count = inverted.count();
        assert!((440..560).contains(&count), "{count} of 1000");
    }

    #[test]
    fn only_thresholds_pass() {
        assert_eq!(refused(&Solarize { threshold: [200, 257] }), ["a.threshold"]);
        assert_eq!(refused(&Solarize { threshold: [200, 100] }), ["a.threshold"]);
    }
}
