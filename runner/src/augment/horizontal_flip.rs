use super::{ImageAugment, Pixels};
use crate::random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mirrors left and right with this probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HorizontalFlip {
    /// Probability, in [0, 1].
    pub p: f32,
}

impl ImageAugment for HorizontalFlip {
    fn apply(&self, mut image: Pixels, _: [usize; 2], random: &mut Stream) -> Pixels {
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
