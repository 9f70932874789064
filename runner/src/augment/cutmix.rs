//! `cutmix`.

use super::arguments::check_probability;
use super::distributions::{beta, check_alpha};
use super::{BatchValues, WholeBatchAugment};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Pastes a rectangle of another image of the batch into each image, and mixes their targets by the
/// rectangle's share of the area (Yun et al. 2019, "`CutMix`"). The share is drawn once a batch from
/// `Beta(alpha, alpha)`, the rectangle's centre is any pixel, the partners are a random order of the
/// batch, as in the paper.
///
/// `cutmix: { alpha: 1.0 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cutmix {
    /// How shares are spread: near 0 near to none or all, 1 evenly. Above 0.
    #[serde(default = "Cutmix::default_alpha")]
    pub alpha: f32,
    /// With which probability a batch is mixed at all, in [0, 1].
    #[serde(default = "Cutmix::default_p")]
    pub p: f32,
}

impl Cutmix {
    fn default_alpha() -> f32 {
        1.0
    }

    fn default_p() -> f32 {
        1.0
    }
}

impl WholeBatchAugment for Cutmix {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_alpha(self.alpha, at.key("alpha"), problems);
        check_probability(self.p, at.key("p"), problems);
    }

    fn apply(&self, batch: &mut BatchValues, _: u64, random: &mut Stream) {
        let share = (1.0 - beta(f64::from(self.alpha), random) as f32).max(0.0).sqrt();
        let [height, width, _] = batch.dims;
        let rows = side(share, height, random);
        let columns = side(share, width, random);
        let mut partners: Vec<usize> = (0..batch.samples).collect();
        random.shuffle(&mut partners);
        if random.chance(self.p) {
            paste(batch, &partners, &rows, &columns);
        }
    }
}

/// What a rectangle's side, a share of `0..len` about a random centre, covers of it.
fn side(share: f32, len: usize, random: &mut Stream) -> Range<usize> {
    let half = share * len as f32 / 2.0;
    let centre = random.below(len) as f32;
    let [start, end] = [centre - half, centre + half].map(|at| (at.round().max(0.0) as usize).min(len));
    start..end
}

/// Pastes the rectangle of each image's partner into it, and mixes the targets by its area.
fn paste(batch: &mut BatchValues, partners: &[usize], rows: &Range<usize>, columns: &Range<usize>) {
    let [height, width, channels] = batch.dims;
    let (image_len, patch_row) = (batch.image_len(), columns.len() * channels);
    if image_len == 0 {
        return;
    }
    let starts = rows.clone().map(|row| (row * width + columns.start) * channels);
    let patch = |image: &[f32]| -> Vec<f32> {
        starts.clone().flat_map(|start| image[start..start + patch_row].iter().copied()).collect()
    };
    let patches: Vec<Vec<f32>> = batch.images.chunks_exact(image_len).map(patch).collect();
    for (image, &partner) in batch.images.chunks_exact_mut(image_len).zip(partners) {
        for (start, row) in starts.clone().zip(patches[partner].chunks_exact(patch_row.max(1))) {
            image[start..start + patch_row].copy_from_slice(row);
        }
    }
    let pasted = (rows.len() * columns.len()) as f32 / (height * width) as f32;
    let targets = batch.targets.clone();
    for (target, &partner) in batch.targets.chunks_exact_mut(batch.classes.max(1)).zip(partners) {
        for (value, other) in target.iter_mut().zip(&targets[partner * batch.classes..]) {
            *value = (1.0 - pasted) * *value + pasted * other;
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

    /// Each image holds its own number in all of its values; its class is its number.
    fn numbered(samples: usize, dims: [usize; 3]) -> BatchValues {
        let len: usize = dims.iter().product();
        BatchValues {
            samples,
            dims,
            classes: samples,
            images: (0..samples * len).map(|i| (i / len) as f32).collect(),
            targets: (0..samples * samples).map(|i| f32::from(i / samples == i % samples)).collect(),
        }
    }

    #[test]
    fn targets_are_the_shares_of_the_area() {
        for n in 0..60 {
            let mut batch = numbered(4, [7, 9, 3]);
            Cutmix { alpha: 1.0, p: 1.0 }.apply(&mut batch, 0, &mut stream(n));
            for (image, target) in batch.images.chunks_exact(7 * 9 * 3).zip(batch.targets.chunks_exact(4)) {
                for (class, share) in target.iter().enumerate() {
                    let area = image.iter().filter(|&&value| value == class as f32).count() as f32 / 189.0;
                    assert!((area - share).abs() < 1e-6, "{area} is not {share}");
                }
            }
        }
    }

    #[test]
    fn a_rectangle_is_pasted_in_its_place() {
        let mut batch = numbered(2, [3, 4, 1]);
        batch.images = (0..24).map(|i| i as f32).collect();
        paste(&mut batch, &[1, 0], &(1..3), &(2..3));
        let [a, b] = [0, 12].map(|start| batch.images[start..start + 12].to_vec());
        assert_eq!(a, [0., 1., 2., 3., 4., 5., 18., 7., 8., 9., 22., 11.]);
        assert_eq!(b, [12., 13., 14., 15., 16., 17., 6., 19., 20., 21., 10., 23.]);
        assert!((batch.targets[0] - 10.0 / 12.0).abs() < 1e-6 && (batch.targets[1] - 2.0 / 12.0).abs() < 1e-6);
    }

    #[test]
    fn areas_are_those_of_the_beta_where_nothing_is_cut_off() {
        // Sides of a rectangle of half the area, wherever its centre is.
        let share = 0.5_f32.sqrt();
        let lens: Vec<usize> = (0..200).map(|n| side(share, 100, &mut stream(n)).len()).collect();
        assert!(lens.iter().all(|len| (35..=70).contains(len)), "{lens:?}");
        assert!(lens.contains(&70) && lens.iter().any(|&len| len < 45));
        assert_eq!(side(0.0, 10, &mut stream(0)).len(), 0);
        assert_eq!(side(1.0, 1, &mut stream(0)).len(), 1);
    }

    #[test]
    fn it_happens_as_often_as_it_says_and_one_image_stays_itself() {
        let changed = |n: &u64| {
            let mut batch = numbered(8, [8, 8, 1]);
            Cutmix { alpha: 1.0, p: 0.3 }.apply(&mut batch, 0, &mut stream(*n));
            batch != numbered(8, [8, 8, 1])
        };
        let count = (0..1000).filter(changed).count();
        assert!((220..340).contains(&count), "{count} of 1000");
        let mut one = numbered(1, [5, 5, 3]);
        Cutmix { alpha: 1.0, p: 1.0 }.apply(&mut one, 0, &mut stream(0));
        assert_eq!(one, numbered(1, [5, 5, 3]));
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let mut problems = Problems::default();
        Cutmix { alpha: f32::NAN, p: -0.5 }.check(&Path::of("a"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a.alpha", "a.p"]);
    }
}
