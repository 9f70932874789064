//! `posterize`.

use super::arguments::check_range;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keeps only some of the 8 bits of every value; how many is drawn.
///
/// `posterize: { bits: [3, 6] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Posterize {
    /// Least and greatest number of bits, in [1, 8].
    pub bits: [u32; 2],
}

impl ImageAugment for Posterize {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_range(self.bits, 1..=8, at.key("bits"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let [least, greatest] = self.bits;
        let choices = greatest.saturating_sub(least) as usize + 1;
        colour::posterize(&mut image, least + random.below(choices) as u32);
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    use std::collections::BTreeSet;

    #[test]
    fn every_number_of_bits_is_drawn() {
        let drawn: BTreeSet<u8> =
            (0..200).map(|n| apply(&Posterize { bits: [2, 4] }, &grey(&[[255]]), n).bytes[0]).collect();
        assert_eq!(drawn, BTreeSet::from([0b1100_0000, 0b1110_0000, 0b1111_0000]));
    }

    #[test]
    fn only_bits_of_a_byte_pass() {
        for bits in [[0, 4], [5, 4], [4, 9]] {
            assert_eq!(refused(&Posterize { bits }), ["a.bits"], "{bits:?}");
        }
        assert!(refused(&Posterize { bits: [1, 8] }).is_empty());
    }
}
