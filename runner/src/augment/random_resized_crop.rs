//! `random_resized_crop`.

use super::{Context, ImageAugment, Pixels, Region};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A random part of the image, brought to the size of the net's input (Szegedy et al. 2015, "Going
/// deeper with convolutions"). As torchvision's `RandomResizedCrop`: ten tries to place a part of
/// random area and proportions, else the centre.
///
/// `random_resized_crop: { scale: [0.8, 1.0] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// Least and greatest share of the image's area that is kept, in (0, 1].
    #[serde(default = "RandomResizedCrop::default_scale")]
    pub scale: [f32; 2],
    /// Least and greatest width divided by height, before the part is brought to size.
    #[serde(default = "RandomResizedCrop::default_ratio")]
    pub ratio: [f32; 2],
}

impl RandomResizedCrop {
    fn default_scale() -> [f32; 2] {
        [0.08, 1.0]
    }

    fn default_ratio() -> [f32; 2] {
        [3.0 / 4.0, 4.0 / 3.0]
    }

    /// The part of an image that is kept. Its borders lie on pixels, as torchvision's.
    fn region(&self, image: &Pixels, random: &mut Stream) -> Region {
        let all = image.whole();
        let log_ratio = self.ratio.map(f32::ln);
        for _ in 0..10 {
            let area = all.height * all.width * f64::from(random.range(self.scale[0], self.scale[1]));
            let ratio = f64::from(random.range(log_ratio[0], log_ratio[1])).exp();
            let width = (area * ratio).sqrt().round() as usize;
            let height = (area / ratio).sqrt().round() as usize;
            if (1..=image.width).contains(&width) && (1..=image.height).contains(&height) {
                let top = random.below(image.height - height + 1) as f64;
                let left = random.below(image.width - width + 1) as f64;
                return Region { top, left, height: height as f64, width: width as f64 };
            }
        }
        self.centre(image)
    }

    /// The largest centred part whose proportions are allowed.
    fn centre(&self, image: &Pixels) -> Region {
        let all = image.whole();
        let [least, greatest] = self.ratio.map(f64::from);
        let own = all.width / all.height;
        let width = if own > greatest { (all.height * greatest).round().clamp(1.0, all.width) } else { all.width };
        let height = if own < least { (all.width / least).round().clamp(1.0, all.height) } else { all.height };
        Region { top: ((all.height - height) / 2.0).floor(), left: ((all.width - width) / 2.0).floor(), height, width }
    }
}

impl ImageAugment for RandomResizedCrop {
    fn check(&self, at: &Path, problems: &mut Problems) {
        let [least, greatest] = self.scale;
        if !(least > 0.0 && least <= greatest && greatest <= 1.0) {
            let problem = Problem::new(at.key("scale"), format!("[{least}, {greatest}] is no range of shares"));
            problems.push(problem.help("expected [least, greatest] with 0 < least <= greatest <= 1"));
        }
        let [least, greatest] = self.ratio;
        if !(least > 0.0 && least <= greatest && greatest.is_finite()) {
            let problem = Problem::new(at.key("ratio"), format!("[{least}, {greatest}] is no range of proportions"));
            problems.push(problem.help("expected [least, greatest] with 0 < least <= greatest, such as [0.75, 1.33]"));
        }
    }

    fn sizes(&self) -> bool {
        true
    }

    fn apply(&self, image: Pixels, context: Context, random: &mut Stream) -> Pixels {
        let region = self.region(&image, random);
        image.resized(region, context.target)
    }

    // A part of a large image does not need a copy of all of it.
    fn apply_to(&self, image: &Pixels, context: Context, random: &mut Stream) -> Pixels {
        image.part(self.region(image, random), context.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn stream(n: u64) -> Stream {
        Key::new(5, Purpose::Augment).with(n).stream()
    }

    #[test]
    fn regions_have_the_areas_and_proportions_asked_for() {
        let crop = RandomResizedCrop { scale: [0.3, 0.6], ratio: [0.8, 1.25] };
        let image = Pixels::black(200, 300, 1);
        let (mut least, mut greatest) = (f64::MAX, 0.0_f64);
        for n in 0..500 {
            let part = crop.region(&image, &mut stream(n));
            let (share, ratio) = (part.height * part.width / 60_000.0, part.width / part.height);
            assert!((0.29..0.61).contains(&share) && (0.78..1.28).contains(&ratio), "{part:?}");
            assert!(part.top >= 0.0 && part.top + part.height <= 200.0, "{part:?}");
            assert!(part.left >= 0.0 && part.left + part.width <= 300.0, "{part:?}");
            (least, greatest) = (least.min(share), greatest.max(share));
        }
        assert!(least < 0.33 && greatest > 0.57, "the range is used: {least} to {greatest}");
    }

    #[test]
    fn where_nothing_fits_the_centre_is_taken() {
        let crop = RandomResizedCrop { scale: [0.9, 1.0], ratio: [0.75, 4.0 / 3.0] };
        let part = crop.region(&Pixels::black(10, 100, 1), &mut stream(0));
        assert_eq!(part, Region { top: 0.0, left: 43.0, height: 10.0, width: 13.0 });
        let part = crop.region(&Pixels::black(100, 10, 1), &mut stream(0));
        assert_eq!(part, Region { top: 43.0, left: 0.0, height: 13.0, width: 10.0 });
    }

    #[test]
    fn everything_at_own_proportions_is_a_resize() {
        let image = Pixels { height: 6, width: 6, channels: 1, bytes: (0..36).collect() };
        let crop = RandomResizedCrop { scale: [1.0, 1.0], ratio: [1.0, 1.0] };
        assert_eq!(crop.apply(image.clone(), [6, 6].into(), &mut stream(0)), image);
        assert_eq!(crop.apply(image, [3, 5].into(), &mut stream(0)).size(), [3, 5]);
        let dot = Pixels::black(1, 1, 3);
        assert_eq!(crop.apply(dot, [4, 4].into(), &mut stream(0)).size(), [4, 4]);
    }

    #[test]
    fn bad_ranges_are_named_by_key() {
        let mut problems = Problems::default();
        RandomResizedCrop { scale: [0.5, 1.2], ratio: [2.0, 1.0] }.check(&Path::of("a.0.b"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a.0.b.scale", "a.0.b.ratio"]);
    }
}
