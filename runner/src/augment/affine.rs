//! `affine`.

use super::arguments::{check_range, check_within};
use super::warp::Linear;
use super::{Border, Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shears, scales, turns and shifts the image at random, size kept. As torchvision's `RandomAffine`
/// with bilinear interpolation. What is left out stays as it is.
///
/// `affine: { degrees: 10, translate: 0.1, scale: [0.9, 1.1], shear: 5 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// The greatest angle in either direction, in degrees, in [0, 180].
    #[serde(default)]
    pub degrees: f32,
    /// The greatest shift in each direction, as a share of the image's side, in [0, 1].
    #[serde(default)]
    pub translate: f32,
    /// Least and greatest factor of the size, in [0.1, 10].
    #[serde(default = "Affine::default_scale")]
    pub scale: [f32; 2],
    /// The greatest angle by which each axis leans, in degrees, in [0, 60].
    #[serde(default)]
    pub shear: f32,
    /// What is seen where the changed image does not reach.
    #[serde(default)]
    pub fill: Border,
}

impl Affine {
    fn default_scale() -> [f32; 2] {
        [1.0, 1.0]
    }
}

impl ImageAugment for Affine {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.degrees, 0.0..=180.0, at.key("degrees"), problems);
        check_within(self.translate, 0.0..=1.0, at.key("translate"), problems);
        check_range(self.scale, 0.1..=10.0, at.key("scale"), problems);
        check_within(self.shear, 0.0..=60.0, at.key("shear"), problems);
    }

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let mut draw = |most: f32| random.range(-most, most);
        let linear = Linear {
            degrees: draw(self.degrees),
            right: draw(self.translate) * image.width as f32,
            down: draw(self.translate) * image.height as f32,
            shear_x: draw(self.shear).to_radians().tan(),
            shear_y: draw(self.shear).to_radians().tan(),
            scale: random.range(self.scale[0], self.scale[1]),
        };
        linear.apply(&image, self.fill)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, centroid, refused, waves};
    use super::*;

    const NOTHING: Affine = Affine { degrees: 0.0, translate: 0.0, scale: [1.0, 1.0], shear: 0.0, fill: Border::Black };

    /// Where a spot 20 columns to the right of the centre of an 81x81 image goes, as seen from the
    /// centre (down, right), in 200 draws.
    fn places(affine: &Affine) -> Vec<[f32; 2]> {
        let mut image = Pixels::black(81, 81, 1);
        for y in 39..42 {
            image.bytes[y * 81 + 59..y * 81 + 62].fill(255);
        }
        (0..200).map(|n| centroid(&apply(affine, &image, n)).map(|at| at - 40.0)).collect()
    }

    fn bounds(values: impl Iterator<Item = f32> + Clone) -> [f32; 2] {
        [values.clone().fold(f32::MAX, f32::min), values.fold(f32::MIN, f32::max)]
    }

    fn assert_bounds(values: impl Iterator<Item = f32> + Clone, expected: [f32; 2]) {
        let found = bounds(values);
        assert!((found[0] - expected[0]).abs() < 1.0 && (found[1] - expected[1]).abs() < 1.0, "{found:?}");
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        assert_eq!(apply(&NOTHING, &waves(9, 12, 3), 0), waves(9, 12, 3));
    }

    #[test]
    fn each_argument_moves_as_far_as_it_says() {
        let turned = places(&Affine { degrees: 30.0, ..NOTHING });
        // 20 columns to the right, turned by up to 30 degrees: 10 rows.
        assert_bounds(turned.iter().map(|place| place[0]), [-10.0, 10.0]);
        let shifted = places(&Affine { translate: 0.1, ..NOTHING });
        assert_bounds(shifted.iter().map(|place| place[0]), [-8.1, 8.1]);
        assert_bounds(shifted.iter().map(|place| place[1] - 20.0), [-8.1, 8.1]);
        let scaled = places(&Affine { scale: [0.5, 1.5], ..NOTHING });
        assert_bounds(scaled.iter().map(|place| place[1]), [10.0, 30.0]);
        assert!(scaled.iter().all(|place| place[0].abs() < 0.2));
        let sheared = places(&Affine { shear: 30.0, ..NOTHING });
        assert_bounds(sheared.iter().map(|place| place[0]), [-11.5, 11.5]);
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let affine = Affine { degrees: 181.0, translate: -0.1, scale: [0.0, 1.0], shear: 90.0, fill: Border::Edge };
        assert_eq!(refused(&affine), ["a.degrees", "a.translate", "a.scale", "a.shear"]);
    }
}
