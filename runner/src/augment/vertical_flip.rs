//! `vertical_flip`.

use super::arguments::check_probability;
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mirrors top and bottom with this probability. For images that have no up and down: cells under a
/// microscope, aerial views.
///
/// `vertical_flip: 0.5`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct VerticalFlip {
    /// Probability, in [0, 1].
    pub p: f32,
}

impl ImageAugment for VerticalFlip {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_probability(self.p, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        if random.chance(self.p) {
            let row = image.width * image.channels;
            let (upper, rest) = image.bytes.split_at_mut(image.height / 2 * row);
            let lower = rest.rchunks_exact_mut(row);
            for (above, below) in upper.chunks_exact_mut(row).zip(lower) {
                above.swap_with_slice(below);
            }
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    #[test]
    fn mirrors_columns() {
        for (height, expected) in [(2, vec![4, 5, 6, 7, 0, 1, 2, 3]), (3, vec![8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3])] {
            let image = Pixels { height, width: 4, channels: 1, bytes: (0..height as u8 * 4).collect() };
            let mut random = Key::new(0, Purpose::Augment).stream();
            assert_eq!(VerticalFlip { p: 1.0 }.apply(image.clone(), [2, 3].into(), &mut random).bytes, expected);
            assert_eq!(VerticalFlip { p: 0.0 }.apply(image.clone(), [2, 3].into(), &mut random), image);
        }
    }
}
