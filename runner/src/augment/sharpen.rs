//! `sharpen`.

use super::arguments::check_range;
use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Multiplies every value's distance from the mean of its 3x3 neighbourhood by a random factor: above
/// 1 sharpens, below 1 smooths. As torchvision's `adjust_sharpness`.
///
/// `sharpen: { factor: [1, 3] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sharpen {
    /// Least and greatest factor, in [0, 100].
    pub factor: [f32; 2],
}

impl ImageAugment for Sharpen {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_range(self.factor, 0.0..=100.0, at.key("factor"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        colour::sharpen(&mut image, random.range(self.factor[0], self.factor[1]));
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::*;

    #[test]
    fn edges_get_steeper_by_the_factor() {
        let image = grey(&[[10, 10, 10], [10, 100, 10], [10, 10, 10]]);
        // 100 is 55 above its smoothed value.
        let drawn: Vec<u8> = (0..200).map(|n| apply(&Sharpen { factor: [1.0, 2.0] }, &image, n).bytes[4]).collect();
        assert!(drawn.iter().all(|value| (100..=155).contains(value)), "{drawn:?}");
        assert!(drawn.iter().any(|&value| value < 105) && drawn.iter().any(|&value| value > 150), "{drawn:?}");
    }

    #[test]
    fn only_ranges_of_factors_pass() {
        for factor in [[-1.0, 1.0], [2.0, 1.0], [0.0, f32::INFINITY]] {
            assert_eq!(refused(&Sharpen { factor }), ["a.factor"], "{factor:?}");
        }
    }
}
