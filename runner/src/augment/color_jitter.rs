//! `color_jitter`.

use super::{Context, ImageAugment, Pixels, colour};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes brightness, contrast, saturation and hue by random factors, in random order. As
/// torchvision's `ColorJitter`.
///
/// A factor for brightness, contrast or saturation is drawn from `[max(0, 1 - value), 1 + value]`,
/// the shift of the hue from `[-value, value]`. Every value of a pixel becomes
/// `factor * value + (1 - factor) * other`, where `other` is black (brightness), the image's mean
/// luminance (contrast), or the pixel's luminance (saturation). Results are rounded. Grey images
/// have neither saturation nor hue.
///
/// `color_jitter: { brightness: 0.1, contrast: 0.1, saturation: 0.1 }`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColorJitter {
    /// How far the factor of the brightness is from 1, at least 0.
    pub brightness: f32,
    /// How far the factor of the contrast is from 1, at least 0.
    pub contrast: f32,
    /// How far the factor of the saturation is from 1, at least 0.
    pub saturation: f32,
    /// The greatest shift of the hue, as a share of the colour wheel, in [0, 0.5].
    pub hue: f32,
}

/// One change to an image, by a factor or a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Brightness(f32),
    Contrast(f32),
    Saturation(f32),
    Hue(f32),
}

impl ColorJitter {
    /// The changes to one image, in the order in which they are made.
    fn draw(&self, random: &mut Stream) -> [Change; 4] {
        let mut factor = |spread: f32| random.range((1.0 - spread).max(0.0), 1.0 + spread);
        let mut changes = [
            Change::Brightness(factor(self.brightness)),
            Change::Contrast(factor(self.contrast)),
            Change::Saturation(factor(self.saturation)),
            Change::Hue(random.range(-self.hue, self.hue)),
        ];
        random.shuffle(&mut changes);
        changes
    }
}

impl Change {
    fn apply(self, image: &mut Pixels) {
        match self {
            Change::Brightness(factor) => colour::brighten(image, factor),
            Change::Contrast(factor) => colour::contrast(image, factor),
            Change::Saturation(factor) => colour::saturate(image, factor),
            Change::Hue(shift) => colour::shift_hue(image, shift),
        }
    }
}

impl ImageAugment for ColorJitter {
    fn check(&self, at: &Path, problems: &mut Problems) {
        for (key, value) in
            [("brightness", self.brightness), ("contrast", self.contrast), ("saturation", self.saturation)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                let problem = Problem::new(at.key(key), format!("{value} is no distance from 1"));
                problems.push(problem.help("expected a number from 0"));
            }
        }
        if !(0.0..=0.5).contains(&self.hue) {
            let problem = Problem::new(at.key("hue"), format!("{} is no shift of the hue", self.hue));
            problems.push(problem.help("expected a number from 0 to 0.5"));
        }
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        for change in self.draw(random) {
            change.apply(&mut image);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn image() -> Pixels {
        Pixels { height: 1, width: 3, channels: 3, bytes: vec![200, 100, 50, 10, 20, 30, 90, 90, 90] }
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        let mut random = Key::new(3, Purpose::Augment).stream();
        assert_eq!(ColorJitter::default().apply(image(), [1, 3].into(), &mut random), image());
    }

    #[test]
    fn brightness_uses_its_whole_range_and_no_more() {
        let jitter = ColorJitter { brightness: 0.5, ..ColorJitter::default() };
        let grey = Pixels { height: 1, width: 1, channels: 1, bytes: vec![100] };
        let values: Vec<u8> = (0..400)
            .map(|n| jitter.apply(grey.clone(), [1, 1].into(), &mut Key::new(n, Purpose::Augment).stream()).bytes[0])
            .collect();
        assert!(values.iter().all(|value| (50..=150).contains(value)));
        assert!(values.iter().any(|&value| value < 55) && values.iter().any(|&value| value > 145));
    }

    #[test]
    fn every_change_comes_first_at_times_and_the_order_matters() {
        let jitter = ColorJitter { brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.3 };
        let drawn = |n| jitter.draw(&mut Key::new(n, Purpose::Augment).stream());
        let firsts: std::collections::HashSet<_> = (0..60).map(|n| std::mem::discriminant(&drawn(n)[0])).collect();
        assert_eq!(firsts.len(), 4);
        let after = |changes: [Change; 2]| {
            let mut image = image();
            for change in changes {
                change.apply(&mut image);
            }
            image
        };
        let (bright, flat) = (Change::Brightness(1.8), Change::Contrast(0.2));
        assert_ne!(after([bright, flat]), after([flat, bright]));
    }

    #[test]
    fn bad_values_are_named_by_key() {
        let mut problems = Problems::default();
        let jitter = ColorJitter { brightness: -1.0, contrast: f32::INFINITY, saturation: f32::NAN, hue: 0.6 };
        jitter.check(&Path::of("a"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a.brightness", "a.contrast", "a.saturation", "a.hue"]);
    }
}
