//! `gaussian_noise`.

use super::arguments::check_range;
use super::colour::to_byte;
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds noise of random strength, drawn for each value on its own. Values beyond black and white are
/// cut.
///
/// `gaussian_noise: { sigma: [0.0, 0.05] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GaussianNoise {
    /// Least and greatest standard deviation, where white is 1; in [0, 1].
    pub sigma: [f32; 2],
}

impl ImageAugment for GaussianNoise {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_range(self.sigma, 0.0..=1.0, at.key("sigma"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let sigma = 255.0 * random.range(self.sigma[0], self.sigma[1]);
        for value in &mut image.bytes {
            *value = to_byte(f32::from(*value) + sigma * random.normal());
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, waves};
    use super::*;

    #[test]
    fn noise_has_its_mean_and_spread_and_no_structure() {
        let image = Pixels { height: 100, width: 100, channels: 3, bytes: vec![128; 30_000] };
        let out = apply(&GaussianNoise { sigma: [0.05, 0.05] }, &image, 0);
        let noise: Vec<f64> = out.bytes.iter().map(|&value| f64::from(value) - 128.0).collect();
        let mean = noise.iter().sum::<f64>() / 30_000.0;
        let deviation = (noise.iter().map(|value| value * value).sum::<f64>() / 30_000.0).sqrt();
        assert!(mean.abs() < 0.3, "{mean}");
        assert!((deviation - 12.75).abs() < 0.3, "{deviation}");
        let neighbours = noise.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / 30_000.0;
        assert!(neighbours.abs() < 3.0, "channels and pixels are independent: {neighbours}");
    }

    #[test]
    fn the_strength_is_drawn() {
        let image = Pixels { height: 20, width: 20, channels: 1, bytes: vec![128; 400] };
        let spread = |n| {
            let out = apply(&GaussianNoise { sigma: [0.0, 0.1] }, &image, n);
            out.bytes.iter().map(|&value| usize::from(value.abs_diff(128))).sum::<usize>() / 400
        };
        let spreads: Vec<usize> = (0..50).map(spread).collect();
        assert!(spreads.iter().any(|&spread| spread < 3) && spreads.iter().any(|&spread| spread > 17), "{spreads:?}");
    }

    #[test]
    fn no_strength_changes_nothing_and_nonsense_is_refused() {
        assert_eq!(apply(&GaussianNoise { sigma: [0.0, 0.0] }, &waves(7, 5, 3), 0), waves(7, 5, 3));
        assert_eq!(refused(&GaussianNoise { sigma: [0.2, 0.1] }), ["a.sigma"]);
        assert_eq!(refused(&GaussianNoise { sigma: [0.0, 1.5] }), ["a.sigma"]);
    }
}
