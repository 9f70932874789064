//! `rand_augment`.

use super::arguments::check_within;
use super::policy::{OPERATIONS, Reach};
use super::{Border, Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A few operations drawn from 14, all with the same strength (Cubuk et al. 2020, "RandAugment"): two
/// numbers to choose in place of a policy. As torchvision's `RandAugment`. The operations: identity,
/// shear, translate and rotate; brightness, saturation, contrast, sharpness; posterize, solarize, auto
/// contrast, equalize.
///
/// `rand_augment: { n: 2, magnitude: 9 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandAugment {
    /// How many operations, one after the other, in [1, 14].
    #[serde(default = "RandAugment::default_n")]
    pub n: usize,
    /// The strength, in [0, 30].
    #[serde(default = "RandAugment::default_magnitude")]
    pub magnitude: f32,
    /// What is seen where the changed image does not reach.
    #[serde(default)]
    pub fill: Border,
}

impl RandAugment {
    fn default_n() -> usize {
        2
    }

    fn default_magnitude() -> f32 {
        9.0
    }
}

/// The greatest magnitude.
const MOST: f32 = 30.0;

/// torchvision's: shifts by 150 of 331 pixels.
const REACH: Reach = Reach { shear: 0.3, translate: 150.0 / 331.0, rotate: 30.0, factor: 0.9, bits: [8.0, 4.0] };

impl ImageAugment for RandAugment {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.n, 1..=OPERATIONS.len(), at.key("n"), problems);
        check_within(self.magnitude, 0.0..=MOST, at.key("magnitude"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        for _ in 0..self.n {
            let operation = OPERATIONS[random.below(OPERATIONS.len())];
            image = operation.apply(image, self.magnitude / MOST, &REACH, self.fill, random);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, stream, waves};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_is_the_operations_one_after_the_other() {
        // The same stream, used by hand.
        let image = waves(16, 20, 3);
        for n in 0..40 {
            let mut random = stream(n);
            let mut expected = image.clone();
            for _ in 0..3 {
                let operation = OPERATIONS[random.below(14)];
                expected = operation.apply(expected, 0.5, &REACH, Border::Edge, &mut random);
            }
            assert_eq!(apply(&RandAugment { n: 3, magnitude: 15.0, fill: Border::Edge }, &image, n), expected);
        }
    }

    #[test]
    fn every_operation_is_drawn() {
        let image = waves(32, 32, 3);
        let one = RandAugment { n: 1, magnitude: 15.0, fill: Border::Black };
        let results: BTreeSet<Vec<u8>> = (0..600).map(|n| apply(&one, &image, n).bytes).collect();
        // 9 operations have two directions, 4 have one, and identity.
        assert_eq!(results.len(), 9 * 2 + 4 + 1);
    }

    #[test]
    fn without_magnitude_only_what_looks_at_the_content_changes() {
        let image = waves(32, 32, 3);
        let one = RandAugment { n: 1, magnitude: 0.0, fill: Border::Black };
        let results: BTreeSet<Vec<u8>> = (0..300).map(|n| apply(&one, &image, n).bytes).collect();
        assert_eq!(results.len(), 3, "the image, its contrast stretched, and equalized");
    }

    #[test]
    fn bad_values_are_named_by_key() {
        assert_eq!(refused(&RandAugment { n: 0, magnitude: 31.0, fill: Border::Black }), ["a.n", "a.magnitude"]);
        assert_eq!(refused(&RandAugment { n: 15, magnitude: -1.0, fill: Border::Black }), ["a.n", "a.magnitude"]);
    }
}
