//! `cutout`.

use super::{ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Covers squares at random places, so that the net cannot lean on one detail (`DeVries` and Taylor
/// 2017). A square's centre is any pixel, so part of it may lie outside, as in the paper.
///
/// `cutout: { size: 0.25 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cutout {
    /// A square's side: below 1 a share of the image's shorter side, from 1 on pixels.
    pub size: f32,
    /// How many squares.
    #[serde(default = "Cutout::default_count")]
    pub count: usize,
    /// What covers.
    #[serde(default)]
    pub fill: CutoutFill,
}

/// What covers a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutoutFill {
    /// The image's mean colour: near to 0 when normalized, which is what the paper covers with.
    #[default]
    Mean,
    /// Black.
    Black,
}

impl Cutout {
    fn default_count() -> usize {
        1
    }
}

impl ImageAugment for Cutout {
    fn check(&self, at: &Path, problems: &mut Problems) {
        if !(self.size > 0.0 && self.size.is_finite()) {
            let problem = Problem::new(at.key("size"), format!("{} is no size of a square", self.size));
            problems.push(problem.help("expected a share of the image below 1 (0.25), or pixels (16)"));
        }
        if !(1..=1000).contains(&self.count) {
            let problem = Problem::new(at.key("count"), format!("{} squares cannot be cut", self.count));
            problems.push(problem.help("expected a number from 1 to 1000"));
        }
    }

    fn apply(&self, mut image: Pixels, _: [usize; 2], random: &mut Stream) -> Pixels {
        let pixels = if self.size < 1.0 { self.size * image.height.min(image.width) as f32 } else { self.size };
        let side = (pixels.round() as usize).max(1);
        let colour = match self.fill {
            CutoutFill::Mean => mean_colour(&image),
            CutoutFill::Black => [0; 3],
        };
        for _ in 0..self.count {
            let rows = covered(random.below(image.height), side, image.height);
            let columns = covered(random.below(image.width), side, image.width);
            for row in image.bytes.chunks_exact_mut(image.width * image.channels).skip(rows.start).take(rows.len()) {
                for pixel in row.chunks_exact_mut(image.channels).skip(columns.start).take(columns.len()) {
                    pixel.copy_from_slice(&colour[..image.channels]);
                }
            }
        }
        image
    }
}

/// What a square of `side` about `centre` covers of `0..len`.
fn covered(centre: usize, side: usize, len: usize) -> std::ops::Range<usize> {
    let start = centre as isize - (side / 2) as isize;
    start.max(0) as usize..start.saturating_add_unsigned(side).clamp(0, len as isize) as usize
}

fn mean_colour(image: &Pixels) -> [u8; 3] {
    let mut sums = [0_u64; 3];
    for pixel in image.bytes.chunks_exact(image.channels) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let count = (image.height * image.width).max(1) as u64;
    sums.map(|sum| ((sum + count / 2) / count) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn covered_pixels(cutout: &Cutout, seed: u64) -> usize {
        let white = Pixels { height: 40, width: 60, channels: 3, bytes: vec![255; 40 * 60 * 3] };
        let image = cutout.apply(white, [40, 60], &mut Key::new(seed, Purpose::Augment).stream());
        image.bytes.chunks_exact(3).filter(|pixel| *pixel == [0, 0, 0]).count()
    }

    #[test]
    fn squares_have_the_size_asked_for() {
        for (size, side) in [(0.25, 10), (10.0, 10), (7.0, 7), (1.0, 1)] {
            let cutout = Cutout { size, count: 1, fill: CutoutFill::Black };
            let counts: Vec<usize> = (0..200).map(|seed| covered_pixels(&cutout, seed)).collect();
            assert_eq!(counts.iter().max(), Some(&(side * side)), "a whole square, and never more");
            assert!(side == 1 || counts.iter().any(|&count| count < side * side), "some reach out of the image");
            assert!(counts.iter().all(|&count| count >= (side / 2) * (side / 2)), "a quarter at least");
        }
    }

    #[test]
    fn several_squares_lie_at_several_places() {
        let cutout = Cutout { size: 4.0, count: 3, fill: CutoutFill::Black };
        assert!((0..50).any(|seed| covered_pixels(&cutout, seed) == 48), "three squares apart");
    }

    #[test]
    fn an_image_can_be_covered_with_its_mean() {
        let image = Pixels { height: 2, width: 2, channels: 1, bytes: vec![0, 10, 20, 31] };
        let cutout = Cutout { size: 1e30, count: 1, fill: CutoutFill::Mean };
        assert_eq!(cutout.apply(image, [2, 2], &mut Key::new(0, Purpose::Augment).stream()).bytes, [15; 4]);
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let mut problems = Problems::default();
        Cutout { size: 0.0, count: 0, fill: CutoutFill::Mean }.check(&Path::of("a"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a.size", "a.count"]);
    }
}
