//! `augmix`.

use super::arguments::check_within;
use super::colour::to_byte;
use super::distributions::{beta, check_alpha, dirichlet};
use super::policy::{OPERATIONS, Operation, Reach};
use super::{Border, Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mixes several chains of operations with each other, and the mixture with the image (Hendrycks et al.
/// 2020, "`AugMix`"): varied images that stay near to the original. As torchvision's `AugMix`. The
/// operations are those of `rand_augment`. (The paper's consistency loss is not part of it.)
///
/// `augmix: { severity: 3 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augmix {
    /// How strong an operation is at most, in [1, 10].
    #[serde(default = "Augmix::default_severity")]
    pub severity: usize,
    /// How many chains are mixed, in [1, 10].
    #[serde(default = "Augmix::default_width")]
    pub width: usize,
    /// How many operations a chain has, in [1, 10]. Left out, each chain has 1 to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// How evenly the chains, and the mixture and the image, are mixed. Above 0.
    #[serde(default = "Augmix::default_alpha")]
    pub alpha: f32,
    /// What is seen where the changed image does not reach.
    #[serde(default)]
    pub fill: Border,
}

impl Augmix {
    fn default_severity() -> usize {
        3
    }

    fn default_width() -> usize {
        3
    }

    fn default_alpha() -> f32 {
        1.0
    }

    /// The image after a chain of operations.
    fn chain(&self, mut image: Pixels, random: &mut Stream) -> Pixels {
        for _ in 0..self.depth.unwrap_or_else(|| 1 + random.below(3)) {
            let operation = CHOICES[random.below(CHOICES.len())];
            let strength = random.below(self.severity) as f32 / (LEVELS - 1) as f32;
            image = operation.apply(image, strength, &REACH, self.fill, random);
        }
        image
    }
}

const LEVELS: usize = 10;

const REACH: Reach = Reach { shear: 0.3, translate: 1.0 / 3.0, rotate: 30.0, factor: 0.9, bits: [4.0, 1.0] };

/// All operations but the identity, which stands first.
const CHOICES: &[Operation] = OPERATIONS.split_at(1).1;

impl ImageAugment for Augmix {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.severity, 1..=LEVELS, at.key("severity"), problems);
        check_within(self.width, 1..=10, at.key("width"), problems);
        if let Some(depth) = self.depth {
            check_within(depth, 1..=10, at.key("depth"), problems);
        }
        check_alpha(self.alpha, at.key("alpha"), problems);
    }

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let alpha = f64::from(self.alpha);
        let mixture = beta(alpha, random) as f32;
        let shares = dirichlet(alpha, self.width, random);
        let mut sum: Vec<f32> = image.bytes.iter().map(|&value| (1.0 - mixture) * f32::from(value)).collect();
        for share in shares {
            let weight = mixture * share as f32;
            for (sum, value) in sum.iter_mut().zip(self.chain(image.clone(), random).bytes) {
                *sum += weight * f32::from(value);
            }
        }
        Pixels { bytes: sum.into_iter().map(to_byte).collect(), ..image }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, stream, waves};
    use super::*;

    fn augmix() -> Augmix {
        Augmix { severity: 3, width: 3, depth: None, alpha: 1.0, fill: Border::Black }
    }

    #[test]
    fn it_is_a_mixture_of_the_image_and_of_its_chains() {
        let image = waves(12, 12, 3);
        for n in 0..30 {
            let mut random = stream(n);
            let mixture = beta(1.0, &mut random);
            let shares = dirichlet(1.0, 3, &mut random);
            let chains: Vec<Pixels> = (0..3).map(|_| augmix().chain(image.clone(), &mut random)).collect();
            for (i, &value) in apply(&augmix(), &image, n).bytes.iter().enumerate() {
                let mixed: f64 =
                    chains.iter().zip(&shares).map(|(chain, share)| share * f64::from(chain.bytes[i])).sum();
                let expected = (1.0 - mixture) * f64::from(image.bytes[i]) + mixture * mixed;
                assert!((f64::from(value) - expected).abs() <= 0.51, "{value} is not {expected}");
            }
        }
    }

    #[test]
    fn chains_are_one_to_three_long_or_as_long_as_asked() {
        // A chain of length k draws its length, then four numbers an operation at most.
        let one = Augmix { depth: Some(1), ..augmix() };
        let image = waves(12, 12, 3);
        for n in 0..30 {
            let mut random = stream(n);
            let operation = CHOICES[random.below(13)];
            let strength = random.below(3) as f32 / 9.0;
            let expected = operation.apply(image.clone(), strength, &REACH, Border::Black, &mut random);
            assert_eq!(one.chain(image.clone(), &mut stream(n)), expected);
        }
        assert!(!CHOICES.contains(&Operation::Identity));
    }

    #[test]
    fn an_even_image_of_middle_grey_stays_near() {
        let mut image = Pixels::black(9, 9, 3);
        image.bytes.fill(128);
        let mild = Augmix { severity: 1, fill: Border::Edge, ..augmix() };
        for n in 0..50 {
            assert!(apply(&mild, &image, n).bytes.iter().all(|value| value.abs_diff(128) <= 1), "{n}");
        }
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let nonsense = Augmix { severity: 0, width: 11, depth: Some(0), alpha: 0.0, fill: Border::Black };
        assert_eq!(refused(&nonsense), ["a.severity", "a.width", "a.depth", "a.alpha"]);
    }
}
