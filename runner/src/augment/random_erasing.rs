//! `random_erasing`.

use super::arguments::{check_probability, check_range};
use super::cover::{Cover, mean_colour};
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Covers a rectangle of random size and proportions (Zhong et al. 2020, "Random erasing data
/// augmentation"), with this probability. As torchvision's `RandomErasing`: ten tries to place a
/// rectangle that fits, else the image stays. Unlike `cutout`, it lies within the image.
///
/// `random_erasing: { p: 0.5 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomErasing {
    /// Probability, in [0, 1].
    #[serde(default = "RandomErasing::default_p")]
    pub p: f32,
    /// Least and greatest share of the image's area, in [0, 1].
    #[serde(default = "RandomErasing::default_area")]
    pub area: [f32; 2],
    /// Least and greatest width divided by height, in [0.01, 100].
    #[serde(default = "RandomErasing::default_ratio")]
    pub ratio: [f32; 2],
    /// What covers.
    #[serde(default)]
    pub fill: Cover,
}

impl RandomErasing {
    fn default_p() -> f32 {
        0.5
    }

    fn default_area() -> [f32; 2] {
        [0.02, 0.33]
    }

    fn default_ratio() -> [f32; 2] {
        [0.3, 3.3]
    }

    /// (height, width) of a rectangle that fits.
    fn rectangle(&self, image: &Pixels, random: &mut Stream) -> Option<[usize; 2]> {
        let all = (image.height * image.width) as f32;
        for _ in 0..10 {
            let area = all * random.range(self.area[0], self.area[1]);
            let ratio = random.range(self.ratio[0].ln(), self.ratio[1].ln()).exp();
            let [height, width] = [(area / ratio).sqrt(), (area * ratio).sqrt()].map(|side| side.round() as usize);
            if (1..=image.height).contains(&height) && (1..=image.width).contains(&width) {
                return Some([height, width]);
            }
        }
        None
    }
}

impl ImageAugment for RandomErasing {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_probability(self.p, at.key("p"), problems);
        check_range(self.area, 0.0..=1.0, at.key("area"), problems);
        check_range(self.ratio, 0.01..=100.0, at.key("ratio"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        if random.chance(self.p)
            && let Some([height, width]) = self.rectangle(&image, random)
        {
            let top = random.below(image.height - height + 1);
            let left = random.below(image.width - width + 1);
            let mean = mean_colour(&image);
            self.fill.fill(&mut image, &(top..top + height), &(left..left + width), &mean, random);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused};
    use super::*;

    fn covered(erasing: &RandomErasing, n: u64) -> usize {
        let white = Pixels { height: 40, width: 60, channels: 1, bytes: vec![255; 2400] };
        let out = apply(erasing, &white, n);
        let dark: Vec<usize> = (0..2400).filter(|&i| out.bytes[i] == 0).collect();
        // What is covered is one rectangle.
        let bounds = |of: fn(usize) -> usize| {
            let places = dark.iter().map(|&i| of(i));
            places.clone().max().zip(places.min()).map_or(0, |(most, least)| most - least + 1)
        };
        assert_eq!(dark.len(), bounds(|i| i / 60) * bounds(|i| i % 60));
        dark.len()
    }

    #[test]
    fn a_rectangle_within_the_range_of_areas_is_covered() {
        let erasing = RandomErasing { p: 1.0, area: [0.1, 0.3], ratio: [0.5, 2.0], fill: Cover::Black };
        let areas: Vec<usize> = (0..200).map(|n| covered(&erasing, n)).collect();
        // 240 to 720 pixels, sides rounded.
        assert!(areas.iter().all(|area| (220..=750).contains(area)), "{areas:?}");
        assert!(areas.iter().any(|&area| area < 300) && areas.iter().any(|&area| area > 650));
    }

    #[test]
    fn it_happens_as_often_as_it_says() {
        let erasing = RandomErasing { p: 0.3, area: [0.1, 0.3], ratio: [0.5, 2.0], fill: Cover::Black };
        let count = (0..1000).filter(|&n| covered(&erasing, n) > 0).count();
        assert!((250..350).contains(&count), "{count} of 1000");
    }

    #[test]
    fn what_never_fits_leaves_the_image() {
        let erasing = RandomErasing { p: 1.0, area: [1.0, 1.0], ratio: [100.0, 100.0], fill: Cover::Black };
        assert_eq!(covered(&erasing, 0), 0);
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let erasing = RandomErasing { p: 2.0, area: [0.5, 0.2], ratio: [0.0, 1.0], fill: Cover::Mean };
        assert_eq!(refused(&erasing), ["a.p", "a.area", "a.ratio"]);
    }
}
