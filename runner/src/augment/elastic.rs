//! `elastic`.

use super::arguments::check_within;
use super::blur::blurred;
use super::warp::warp;
use super::{Border, Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Distorts the image like rubber (Simard et al. 2003, "Best practices for convolutional neural
/// networks"): every pixel is fetched from a random distance, and the distances are smoothed by a
/// Gaussian. As torchvision's `ElasticTransform`.
///
/// `elastic: { alpha: 50, sigma: 5 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elastic {
    /// The greatest distance before smoothing, in pixels, in [0, 10000]. Smoothing leaves about
    /// `alpha / (6 sigma)` of it.
    pub alpha: f32,
    /// The width of the Gaussian in pixels, in [0, 50]: small for ripples, large for broad waves.
    pub sigma: f32,
    /// What is seen where the changed image does not reach.
    #[serde(default)]
    pub fill: Border,
}

impl ImageAugment for Elastic {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.alpha, 0.0..=10_000.0, at.key("alpha"), problems);
        check_within(self.sigma, 0.0..=50.0, at.key("sigma"), problems);
    }

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let distances = distances(image.size(), self.alpha, self.sigma, random);
        warp(&image, self.fill, |y, x| {
            let at = 2 * (y as usize * image.width + x as usize);
            [y + distances[at], x + distances[at + 1]]
        })
    }
}

/// How far each pixel is moved, (H, W, 2): rows, then columns.
fn distances([height, width]: [usize; 2], alpha: f32, sigma: f32, random: &mut Stream) -> Vec<f32> {
    let distances: Vec<f32> = (0..2 * height * width).map(|_| random.range(-alpha, alpha)).collect();
    blurred(&distances, [height, width, 2], sigma)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, stream, waves};
    use super::*;

    #[test]
    fn distances_have_the_spread_of_smoothed_noise() {
        let distances = distances([200, 200], 30.0, 4.0, &mut stream(0));
        let square = distances.iter().map(|value| value * value).sum::<f32>() / 80_000.0;
        // Even noise has deviation alpha / sqrt 3; a Gaussian leaves 1 / (2 sigma sqrt pi) of it.
        let expected = 30.0 / 3.0_f32.sqrt() / (2.0 * 4.0 * std::f32::consts::PI.sqrt());
        assert!((square.sqrt() / expected - 1.0).abs() < 0.1, "{} is not {expected}", square.sqrt());
        let rows = distances.chunks_exact(2);
        let (mut same, mut across) = (0.0, 0.0);
        for (a, b) in rows.clone().zip(rows.skip(1)) {
            same += a[0] * b[0];
            across += a[0] * a[1];
        }
        assert!(same > 0.9 * square * 40_000.0, "neighbours move alike");
        assert!(across.abs() < 0.2 * square * 40_000.0, "rows and columns move on their own");
    }

    #[test]
    fn every_pixel_comes_from_where_the_distances_say() {
        // A ramp down and a ramp across, so that a value tells its place.
        let ramp = |of: fn(usize) -> usize| Pixels {
            height: 80,
            width: 80,
            channels: 1,
            bytes: (0..6400).map(|i| 3 * of(i) as u8).collect(),
        };
        let elastic = Elastic { alpha: 40.0, sigma: 5.0, fill: Border::Edge };
        let [down, across] = [ramp(|i| i / 80), ramp(|i| i % 80)].map(|image| apply(&elastic, &image, 3));
        let distances = distances([80, 80], 40.0, 5.0, &mut stream(3));
        for y in 20..60 {
            for x in 20..60 {
                let i = y * 80 + x;
                assert!((f32::from(down.bytes[i]) / 3.0 - y as f32 - distances[2 * i]).abs() < 0.3);
                assert!((f32::from(across.bytes[i]) / 3.0 - x as f32 - distances[2 * i + 1]).abs() < 0.3);
            }
        }
    }

    #[test]
    fn no_distance_changes_nothing_and_nonsense_is_refused() {
        let elastic = Elastic { alpha: 0.0, sigma: 3.0, fill: Border::Black };
        assert_eq!(apply(&elastic, &waves(9, 12, 3), 0), waves(9, 12, 3));
        let elastic = Elastic { alpha: -1.0, sigma: f32::INFINITY, fill: Border::Black };
        assert_eq!(refused(&elastic), ["a.alpha", "a.sigma"]);
    }
}
