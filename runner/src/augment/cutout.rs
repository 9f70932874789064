//! `cutout`.

use super::cover::{Cover, mean_colour};
use super::{Context, ImageAugment, Pixels};
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
    /// What covers; the paper covers with the mean.
    #[serde(default)]
    pub fill: Cover,
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

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let pixels = if self.size < 1.0 { self.size * image.height.min(image.width) as f32 } else { self.size };
        let side = (pixels.round() as usize).max(1);
        let mean = mean_colour(&image);
        for _ in 0..self.count {
            let rows = covered(random.below(image.height), side, image.height);
            let columns = covered(random.below(image.width), side, image.width);
            self.fill.fill(&mut image, &rows, &columns, &mean, random);
        }
        image
    }
}

/// What a square of `side` about `centre` covers of `0..len`.
fn covered(centre: usize, side: usize, len: usize) -> std::ops::Range<usize> {
    let start = centre as isize - (side / 2) as isize;
    start.max(0) as usize..start.saturating_add_unsigned(side).clamp(0, len as isize) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn covered_pixels(cutout: &Cutout, seed: u64) -> usize {
        let white = Pixels { height: 40, width: 60, channels: 3, bytes: vec![255; 40 * 60 * 3] };
        let image = cutout.apply(white, [40, 60].into(), &mut Key::new(seed, Purpose::Augment).stream());
        image.bytes.chunks_exact(3).filter(|pixel| *pixel == [0, 0, 0]).count()
    }

    #[test]
    fn squares_have_the_size_asked_for() {
        for (size, side) in [(0.25, 10), (10.0, 10), (7.0, 7), (1.0, 1)] {
            let cutout = Cutout { size, count: 1, fill: Cover::Black };
            let counts: Vec<usize> = (0..200).map(|seed| covered_pixels(&cutout, seed)).collect();
            assert_eq!(counts.iter().max(), Some(&(side * side)), "a whole square, and never more");
            assert!(side == 1 || counts.iter().any(|&count| count < side * side), "some reach out of the image");
            assert!(counts.iter().all(|&count| count >= (side / 2) * (side / 2)), "a quarter at least");
        }
    }

    #[test]
    fn several_squares_lie_at_several_places() {
        let cutout = Cutout { size: 4.0, count: 3, fill: Cover::Black };
        assert!((0..50).any(|seed| covered_pixels(&cutout, seed) == 48), "three squares apart");
    }

    #[test]
    fn an_image_can_be_covered_with_its_mean() {
        let image = Pixels { height: 2, width: 2, channels: 1, bytes: vec![0, 10, 20, 31] };
        let cutout = Cutout { size: 1e30, count: 1, fill: Cover::Mean };
        assert_eq!(cutout.apply(image, [2, 2].into(), &mut Key::new(0, Purpose::Augment).stream()).bytes, [15; 4]);
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let mut problems = Problems::default();
        Cutout { size: 0.0, count: 0, fill: Cover::Mean }.check(&Path::of("a"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a.size", "a.count"]);
    }
}
