//! `mixup`.

use super::{BatchValues, WholeBatchAugment};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Blends each image of a batch with another one, and their targets with them (Zhang et al. 2018,
/// "mixup: beyond empirical risk minimization"). The share is drawn once a batch from
/// `Beta(alpha, alpha)`, the partners are a random order of the batch, as in the paper.
///
/// `mixup: { alpha: 0.2 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mixup {
    /// How strongly images are blended: near 0 hardly, 1 by any share alike. Above 0.
    #[serde(default = "Mixup::default_alpha")]
    pub alpha: f32,
}

impl Mixup {
    fn default_alpha() -> f32 {
        0.2
    }
}

impl WholeBatchAugment for Mixup {
    fn check(&self, at: &Path, problems: &mut Problems) {
        if !(self.alpha > 0.0 && self.alpha <= 1e6) {
            let problem = Problem::new(at.key("alpha"), format!("{} is no parameter of a Beta", self.alpha));
            problems.push(problem.help("expected a number above 0, such as 0.2"));
        }
    }

    fn apply(&self, batch: &mut BatchValues, random: &mut Stream) {
        let share = beta(f64::from(self.alpha), random) as f32;
        let mut partners: Vec<usize> = (0..batch.samples).collect();
        random.shuffle(&mut partners);
        blend(&mut batch.images, batch.image_len, &partners, share);
        blend(&mut batch.targets, batch.classes, &partners, share);
    }
}

/// Row i becomes `share * row[i] + (1 - share) * row[partners[i]]`, for all rows at once.
///
/// Works in place: along a cycle of partners only the cycle's first row has to be kept.
fn blend(rows: &mut [f32], len: usize, partners: &[usize], share: f32) {
    if len == 0 {
        return;
    }
    let mut first = vec![0.0; len];
    let mut done = vec![false; partners.len()];
    for start in 0..partners.len() {
        if done[start] {
            continue;
        }
        first.copy_from_slice(&rows[start * len..][..len]);
        let mut row = start;
        loop {
            done[row] = true;
            let partner = partners[row];
            if partner == start {
                mix(&mut rows[row * len..][..len], &first, share);
                break;
            }
            let (low, high) = rows.split_at_mut(row.max(partner) * len);
            if row < partner {
                mix(&mut low[row * len..][..len], &high[..len], share);
            } else {
                mix(&mut high[..len], &low[partner * len..][..len], share);
            }
            row = partner;
        }
    }
}

fn mix(row: &mut [f32], partner: &[f32], share: f32) {
    for (value, other) in row.iter_mut().zip(partner) {
        *value = share * *value + (1.0 - share) * other;
    }
}

/// A number from `Beta(alpha, alpha)`, as the share of one of two Gamma numbers in their sum. They
/// are compared by logarithm: both underflow where `alpha` is small.
fn beta(alpha: f64, random: &mut Stream) -> f64 {
    let (a, b) = (log_gamma_variate(alpha, random), log_gamma_variate(alpha, random));
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a number from `Gamma(shape, 1)` (Marsaglia and Tsang 2000; for small shapes
/// `Gamma(shape) = Gamma(shape + 1) * U^(1 / shape)`).
fn log_gamma_variate(shape: f64, random: &mut Stream) -> f64 {
    let boost = (1.0 - f64::from(random.unit())).ln() / shape;
    let d = shape + 1.0 - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = f64::from(random.normal());
        let u = 1.0 - f64::from(random.unit());
        let v = (1.0 + c * z).powi(3);
        if v > 0.0 && u.ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return (d * v).ln() + boost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn stream(n: u64) -> Stream {
        Key::new(n, Purpose::AugmentBatch).stream()
    }

    #[test]
    fn beta_has_its_mean_and_variance() {
        for alpha in [0.01, 0.2, 1.0, 4.0] {
            let mut random = stream(1);
            let draws: Vec<f64> = (0..20_000).map(|_| beta(alpha, &mut random)).collect();
            assert!(draws.iter().all(|draw| (0.0..=1.0).contains(draw)));
            let mean = draws.iter().sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 20_000.0;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.012, "{alpha}: mean {mean}");
            assert!((variance - expected).abs() < 0.03 * expected, "{alpha}: variance {variance}, not {expected}");
        }
    }

    #[test]
    fn blending_in_place_is_blending() {
        for n in 0..20 {
            let mut partners: Vec<usize> = (0..7).collect();
            stream(n).shuffle(&mut partners);
            let before: Vec<f32> = (0..21).map(|i| (i * i) as f32).collect();
            let mut after = before.clone();
            blend(&mut after, 3, &partners, 0.3);
            for i in 0..21 {
                let expected = 0.3 * before[i] + (1.0 - 0.3) * before[partners[i / 3] * 3 + i % 3];
                assert!((after[i] - expected).abs() < 1e-4, "{} is not {expected}", after[i]);
            }
        }
    }

    #[test]
    fn images_and_targets_are_mixed_alike_and_targets_sum_to_one() {
        for n in 0..50 {
            // Each image holds its own target, so afterwards it must hold its mixed target.
            let one_hot: Vec<f32> = (0..30).map(|i| f32::from(i % 3 == (i / 3) % 3)).collect();
            let mut batch =
                BatchValues { samples: 10, image_len: 3, classes: 3, images: one_hot.clone(), targets: one_hot };
            Mixup { alpha: 0.4 }.apply(&mut batch, &mut stream(n));
            assert_eq!(batch.images, batch.targets);
            for row in batch.targets.chunks_exact(3) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row.iter().all(|&p| p >= 0.0), "{row:?}");
            }
        }
    }

    #[test]
    fn one_image_stays_itself() {
        let mut batch =
            BatchValues { samples: 1, image_len: 2, classes: 2, images: vec![0.25, -3.0], targets: vec![0.0, 1.0] };
        let before = batch.clone();
        Mixup { alpha: 1.0 }.apply(&mut batch, &mut stream(0));
        assert!((batch.images[0] - before.images[0]).abs() < 1e-6 && (batch.images[1] - before.images[1]).abs() < 1e-6);
        assert!(batch.targets[0].abs() < 1e-6);
    }
}
