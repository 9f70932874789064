//! `center_crop`.

use super::arguments::check_within;
use super::{Context, ImageAugment, Pixels, Region};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The centre of the image, of the size of the net's input. As torchvision's `CenterCrop`; with
/// `resize` it is `Resize` and then `CenterCrop`, as ImageNet nets are evaluated. An image that is
/// smaller than the net's input is enlarged until it covers it.
///
/// `center_crop: { resize: 256 }`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CenterCrop {
    /// The length to which the image's shorter side is brought before cutting, proportions kept, in
    /// [1, 65536] pixels. Left out, the image is cut as large as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
}

impl ImageAugment for CenterCrop {
    fn check(&self, at: &Path, problems: &mut Problems) {
        if let Some(resize) = self.resize {
            check_within(resize, 1..=65_536, at.key("resize"), problems);
        }
    }

    fn sizes(&self) -> bool {
        true
    }

    fn is_fixed(&self) -> bool {
        true
    }

    fn apply(&self, image: Pixels, context: Context, _: &mut Stream) -> Pixels {
        let region = centre(&image, self.resize, context.target);
        image.resized(region, context.target)
    }
}

/// The window that is shown of the image in its own size.
fn centre(image: &Pixels, shorter: Option<usize>, target: [usize; 2]) -> Region {
    let all = image.whole();
    let [height, width] = target.map(|side| side as f64);
    let scale = shorter.map_or(1.0, |shorter| shorter as f64 / all.height.min(all.width));
    let scale = scale.max(height / all.height).max(width / all.width);
    let (height, width) = ((height / scale).min(all.height), (width / scale).min(all.width));
    let mut place = [(all.height - height) / 2.0, (all.width - width) / 2.0];
    if scale == 1.0 {
        // Nothing is interpolated where nothing is scaled.
        place = place.map(f64::floor);
    }
    Region { top: place[0], left: place[1], height, width }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{grey, refused, stream, waves};
    use super::*;

    fn cut(image: Pixels, resize: Option<usize>, target: [usize; 2]) -> Pixels {
        CenterCrop { resize }.apply(image, target.into(), &mut stream(0))
    }

    #[test]
    fn the_centre_is_cut_exactly() {
        let image = grey(&[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]);
        assert_eq!(cut(image.clone(), None, [1, 3]), grey(&[[6, 7, 8]]));
        // An odd rest: one pixel less at the top and on the left, as torchvision floors.
        assert_eq!(cut(image, None, [2, 2]), grey(&[[1, 2], [6, 7]]));
    }

    #[test]
    fn with_resize_a_share_of_the_image_is_shown() {
        // A ramp over 100 columns; 32 of 40 are 80 of 100, from 10 to 89.
        let bytes = (0..10_000).map(|i| (i % 100) as u8).collect();
        let out = cut(Pixels { height: 100, width: 100, channels: 1, bytes }, Some(40), [32, 32]);
        assert!(out.bytes[0].abs_diff(11) <= 1 && out.bytes[31].abs_diff(88) <= 1, "{:?}", &out.bytes[..32]);
    }

    #[test]
    fn small_images_cover_the_target() {
        for (height, width) in [(1, 1), (1, 300), (7, 2), (500, 400)] {
            for resize in [None, Some(1), Some(64)] {
                let out = cut(waves(height, width, 3), resize, [12, 18]);
                assert_eq!(out.size(), [12, 18]);
            }
        }
        assert_eq!(refused(&CenterCrop { resize: Some(0) }), ["a.resize"]);
    }
}
