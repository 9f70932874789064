//! `mixup`.

use super::arguments::check_probability;
use super::distributions::{beta, check_alpha};
use super::{BatchValues, WholeBatchAugment};
use crate::random::Stream;
use crate::spec::{Path, Problems};
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
    /// With which probability a batch is blended at all, in [0, 1].
    #[serde(default = "Mixup::default_p")]
    pub p: f32,
}

impl Mixup {
    fn default_alpha() -> f32 {
        0.2
    }

    fn default_p() -> f32 {
        1.0
    }
}

impl WholeBatchAugment for Mixup {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_alpha(self.alpha, at.key("alpha"), problems);
        check_probability(self.p, at.key("p"), problems);
    }

    fn apply(&self, batch: &mut BatchValues, _: u64, random: &mut Stream) {
        let share = beta(f64::from(self.alpha), random) as f32;
        let mut partners: Vec<usize> = (0..batch.samples).collect();
        random.shuffle(&mut partners);
        // Drawn last, so that what is blended does not depend on how often.
        if !random.chance(self.p) {
            return;
        }
        let image_len = batch.image_len();
        blend(&mut batch.images, image_len, &partners, share);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn stream(n: u64) -> Stream {
        Key::new(n, Purpose::AugmentBatch).stream()
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
                BatchValues { samples: 10, dims: [1, 1, 3], classes: 3, images: one_hot.clone(), targets: one_hot };
            Mixup { alpha: 0.4, p: 1.0 }.apply(&mut batch, 0, &mut stream(n));
            assert_eq!(batch.images, batch.targets);
            for row in batch.targets.chunks_exact(3) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row.iter().all(|&p| p >= 0.0), "{row:?}");
            }
        }
    }

    #[test]
    fn one_image_stays_itself() {
        let mut batch =
            BatchValues { samples: 1, dims: [1, 1, 2], classes: 2, images: vec![0.25, -3.0], targets: vec![0.0, 1.0] };
        let before = batch.clone();
        Mixup { alpha: 1.0, p: 1.0 }.apply(&mut batch, 0, &mut stream(0));
        assert!((batch.images[0] - before.images[0]).abs() < 1e-6 && (batch.images[1] - before.images[1]).abs() < 1e-6);
        assert!(batch.targets[0].abs() < 1e-6);
    }

    #[test]
    fn it_happens_as_often_as_it_says() {
        let before = BatchValues {
            samples: 2,
            dims: [1, 1, 1],
            classes: 2,
            images: vec![0.0, 1.0],
            targets: vec![1.0, 0.0, 0.0, 1.0],
        };
        let changed = |n: &u64| {
            let mut batch = before.clone();
            Mixup { alpha: 1.0, p: 0.3 }.apply(&mut batch, 0, &mut stream(*n));
            batch != before
        };
        // Half of the random orders of two change nothing.
        let count = (0..2000).filter(changed).count();
        assert!((240..360).contains(&count), "{count} of 2000");
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let mut problems = Problems::default();
        Mixup { alpha: 0.0, p: 2.0 }.check(&Path::of("a"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a.alpha", "a.p"]);
    }
}
