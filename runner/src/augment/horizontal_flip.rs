//! `horizontal_flip`.

use super::arguments::check_probability;
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mirrors left and right with this probability.
///
/// `horizontal_flip: 0.5`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HorizontalFlip {
    /// Probability, in [0, 1].
    pub p: f32,
}

impl ImageAugment for HorizontalFlip {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_probability(self.p, at.clone(), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        if random.chance(self.p) {
            for row in image.bytes.chunks_exact_mut(image.width * image.channels) {
                for left in 0..image.width / 2 {
                    let right = image.width - 1 - left;
                    for channel in 0..image.channels {
                        row.swap(left * image.channels + channel, right * image.channels + channel);
                    }
                }
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
    fn mirrors_rows_and_keeps_pixels_whole() {
        let image = Pixels { height: 2, width: 3, channels: 3, bytes: (0..18).collect() };
        let mut random = Key::new(0, Purpose::Augment).stream();
        let flipped = HorizontalFlip { p: 1.0 }.apply(image.clone(), [2, 3].into(), &mut random);
        assert_eq!(flipped.bytes, [6, 7, 8, 3, 4, 5, 0, 1, 2, 15, 16, 17, 12, 13, 14, 9, 10, 11]);
        assert_eq!(HorizontalFlip { p: 0.0 }.apply(image.clone(), [2, 3].into(), &mut random), image);
    }

    #[test]
    fn mirrors_as_often_as_it_says() {
        let image = Pixels { height: 1, width: 2, channels: 1, bytes: vec![0, 1] };
        let mut random = Key::new(1, Purpose::Augment).stream();
        let flip = HorizontalFlip { p: 0.3 };
        let flipped =
            (0..5000).filter(|_| flip.apply(image.clone(), [1, 2].into(), &mut random).bytes == [1, 0]).count();
        assert!((1400..1600).contains(&flipped), "{flipped} of 5000");
    }

    #[test]
    fn only_probabilities_pass() {
        for (p, count) in [(0.0, 0), (1.0, 0), (-0.1, 1), (1.5, 1), (f32::NAN, 1)] {
            let mut problems = Problems::default();
            HorizontalFlip { p }.check(&Path::of("a"), &mut problems);
            assert_eq!(problems.0.len(), count, "{p}");
        }
    }
}
