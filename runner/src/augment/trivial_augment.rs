//! `trivial_augment`.

use super::policy::{OPERATIONS, Reach};
use super::{Border, Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One operation drawn from those of `rand_augment`, with a random strength (Müller and Hutter 2021,
/// "TrivialAugment"): nothing to choose. As torchvision's `TrivialAugmentWide`: strengths reach farther
/// than in `rand_augment`.
///
/// `trivial_augment`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrivialAugment {
    /// What is seen where the changed image does not reach.
    pub fill: Border,
}

/// Strengths are 0 to 30 of 30.
const BINS: usize = 31;

const REACH: Reach = Reach { shear: 0.99, translate: 32.0, rotate: 135.0, factor: 0.99, bits: [8.0, 2.0] };

impl ImageAugment for TrivialAugment {
    fn check(&self, _: &Path, _: &mut Problems) {}

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let operation = OPERATIONS[random.below(OPERATIONS.len())];
        let strength = random.below(BINS) as f32 / (BINS - 1) as f32;
        operation.apply(image, strength, &REACH, self.fill, random)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, stream, waves};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_is_one_operation_of_a_drawn_strength() {
        let image = waves(40, 40, 3);
        let mut strengths = BTreeSet::new();
        for n in 0..300 {
            let mut random = stream(n);
            let operation = OPERATIONS[random.below(14)];
            let strength = random.below(31);
            strengths.insert(strength);
            let expected = operation.apply(image.clone(), strength as f32 / 30.0, &REACH, Border::Black, &mut random);
            assert_eq!(apply(&TrivialAugment { fill: Border::Black }, &image, n), expected);
        }
        assert_eq!((strengths.len(), strengths.last()), (31, Some(&30)));
    }
}
