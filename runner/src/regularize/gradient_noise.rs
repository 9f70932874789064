//! `gradient_noise`.

use crate::random::Key;
use crate::spec::check::{NOT_NEGATIVE, POSITIVE, finite};
use crate::spec::{Path, Problems};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gradient noise: normal noise is added to every gradient value, with a variance that falls over the
/// steps as `eta / (1 + step)^gamma` (Neelakantan et al. 2015). The first step of the run is number 0.
/// It comes after clipping.
///
/// `gradient_noise: { eta: 0.01 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GradientNoise {
    /// The variance in the first step, above 0. The paper tried 0.01, 0.3 and 1.
    pub eta: f64,
    /// How fast it falls, from 0 (it does not).
    #[serde(default = "GradientNoise::default_gamma")]
    pub gamma: f64,
}

/// Values drawn by one key: threads share a tensor by these, and get the same numbers however many
/// they are.
const CHUNK: usize = 1 << 12;

impl GradientNoise {
    /// The paper's.
    fn default_gamma() -> f64 {
        0.55
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        finite(problems, at.key("eta"), self.eta, POSITIVE, "the variance of the noise");
        finite(problems, at.key("gamma"), self.gamma, NOT_NEGATIVE, "the exponent of the noise");
    }

    /// The variance in the step of this number, from 0.
    pub fn variance(&self, step: u64) -> f64 {
        self.eta / (1.0 + step as f64).powf(self.gamma)
    }

    /// The noise of one parameter of `count` values in a step. `key` is that of the step and the parameter.
    pub fn draw(&self, step: u64, count: usize, key: Key) -> Vec<f32> {
        let deviation = self.variance(step).sqrt() as f32;
        let mut noise = vec![0.0; count];
        noise.par_chunks_mut(CHUNK).enumerate().for_each(|(number, values)| {
            let mut stream = key.with(number as u64).stream();
            for value in values {
                *value = deviation * stream.normal();
            }
        });
        noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn the_variance_is_as_stated_and_falls() {
        let noise = GradientNoise { eta: 0.3, gamma: 0.55 };
        for step in [0, 99] {
            let drawn = noise.draw(step, 100_000, Key::new(1, Purpose::GradientNoise).with(step));
            let mean = drawn.iter().map(|&x| f64::from(x)).sum::<f64>() / 1e5;
            let variance = drawn.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 1e5;
            let stated = 0.3 / (1.0 + step as f64).powf(0.55);
            assert!((noise.variance(step) - stated).abs() < 1e-12);
            // The deviation of a variance over 100000 values is 0.45%.
            assert!((variance / stated - 1.0).abs() < 0.02, "{variance} for {stated}");
            assert!(mean.abs() < 4.0 * (stated / 1e5).sqrt(), "{mean}");
        }
    }

    #[test]
    fn noise_follows_from_its_key() {
        let noise = GradientNoise { eta: 1.0, gamma: 0.0 };
        let key = Key::new(1, Purpose::GradientNoise);
        assert_eq!(noise.draw(3, 9000, key), noise.draw(3, 9000, key));
        assert_ne!(noise.draw(3, 9, key), noise.draw(3, 9, key.with(1)));
        assert_eq!(noise.draw(3, 9000, key)[..5], noise.draw(3, 5, key), "a tensor's size does not change its first");
    }
}
