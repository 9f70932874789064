//! `gaussian_blur`.

use super::arguments::check_range;
use super::blur::blurred;
use super::colour::to_byte;
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Blurs the image by a Gaussian of random width. As torchvision's `GaussianBlur`, with a window as
/// wide as the Gaussian asks for.
///
/// `gaussian_blur: { sigma: [0.1, 2.0] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GaussianBlur {
    /// Least and greatest standard deviation in pixels, in [0, 50].
    pub sigma: [f32; 2],
}

impl ImageAugment for GaussianBlur {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_range(self.sigma, 0.0..=50.0, at.key("sigma"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let sigma = random.range(self.sigma[0], self.sigma[1]);
        let values: Vec<f32> = image.bytes.iter().map(|&value| f32::from(value)).collect();
        let values = blurred(&values, [image.height, image.width, image.channels], sigma);
        for (byte, value) in image.bytes.iter_mut().zip(values) {
            *byte = to_byte(value);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, dot, refused, waves};
    use super::*;

    #[test]
    fn light_is_spread_by_sigma() {
        // 255 / (2 pi sigma^2) remain in the middle: 40.6 for 1, 10.1 for 2.
        for (sigma, middle) in [(1.0, 41), (2.0, 10)] {
            let out = apply(&GaussianBlur { sigma: [sigma, sigma] }, &dot([21, 21], [10, 10]), 0);
            assert!(out.bytes[10 * 21 + 10].abs_diff(middle) <= 1, "{}", out.bytes[10 * 21 + 10]);
            assert_eq!(out.bytes[10 * 21 + 8], out.bytes[12 * 21 + 10], "the same in all directions");
        }
    }

    #[test]
    fn no_width_changes_nothing() {
        assert_eq!(apply(&GaussianBlur { sigma: [0.0, 0.0] }, &waves(7, 5, 3), 0), waves(7, 5, 3));
    }

    #[test]
    fn only_ranges_of_widths_pass() {
        for sigma in [[-1.0, 1.0], [2.0, 1.0], [0.0, 51.0], [f32::NAN, 1.0]] {
            assert_eq!(refused(&GaussianBlur { sigma }), ["a.sigma"], "{sigma:?}");
        }
    }
}
