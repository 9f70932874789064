//! `rotate90`.

use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Turns the image by a random multiple of 90 degrees, all of them (also none) equally likely.
/// Nothing is interpolated. An image that is not square is turned by 0 or 180 degrees, so that it
/// keeps its size.
///
/// `rotate90`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate90 {}

impl ImageAugment for Rotate90 {
    fn check(&self, _: &Path, _: &mut Problems) {}

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let turns = random.below(4);
        if image.height == image.width { turned(&image, turns) } else { turned(&image, 2 * (turns / 2)) }
    }
}

/// The image turned counter-clockwise by quarters; by halves only if it is not square.
fn turned(image: &Pixels, quarters: usize) -> Pixels {
    let (height, width) = (image.height, image.width);
    let mut bytes = Vec::with_capacity(image.bytes.len());
    for y in 0..height {
        for x in 0..width {
            let (y, x) = match quarters {
                0 => (y, x),
                1 => (x, width - 1 - y),
                2 => (height - 1 - y, width - 1 - x),
                _ => (height - 1 - x, y),
            };
            bytes.extend_from_slice(&image.bytes[(y * width + x) * image.channels..][..image.channels]);
        }
    }
    Pixels { bytes, ..*image }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey};
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn quarters_turn_counter_clockwise() {
        let image = grey(&[[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
        assert_eq!(turned(&image, 0), image);
        assert_eq!(turned(&image, 1), grey(&[[3, 6, 9], [2, 5, 8], [1, 4, 7]]));
        assert_eq!(turned(&image, 2), grey(&[[9, 8, 7], [6, 5, 4], [3, 2, 1]]));
        assert_eq!(turned(&image, 3), grey(&[[7, 4, 1], [8, 5, 2], [9, 6, 3]]));
        let colours = Pixels { height: 2, width: 2, channels: 3, bytes: (0..12).collect() };
        assert_eq!(turned(&colours, 1).bytes, [3, 4, 5, 9, 10, 11, 0, 1, 2, 6, 7, 8]);
    }

    #[test]
    fn all_turns_are_equally_likely() {
        let count = |image: Pixels| {
            let mut counts = BTreeMap::new();
            for n in 0..1000 {
                *counts.entry(apply(&Rotate90 {}, &image, n).bytes).or_insert(0) += 1;
            }
            counts
        };
        let square = count(grey(&[[1, 2], [3, 4]]));
        assert!(square.len() == 4 && square.values().all(|count| (200..300).contains(count)), "{square:?}");
        let wide = count(grey(&[[1, 2, 3]]));
        assert_eq!(wide.keys().cloned().collect::<Vec<_>>(), [[1, 2, 3], [3, 2, 1]]);
        assert!(wide.values().all(|count| (430..570).contains(count)), "{wide:?}");
    }
}
