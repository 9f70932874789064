//! `color_jitter`.

use super::pixels::luminance;
use super::{ImageAugment, Pixels};
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
            Change::Brightness(factor) => blend_with(image, factor, |_| 0.0),
            Change::Contrast(factor) => blend_with(image, factor, mean_luminance),
            Change::Saturation(factor) => saturate(image, factor),
            Change::Hue(shift) => shift_hue(image, shift),
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

    fn apply(&self, mut image: Pixels, _: [usize; 2], random: &mut Stream) -> Pixels {
        for change in self.draw(random) {
            change.apply(&mut image);
        }
        image
    }
}

fn to_byte(value: f32) -> u8 {
    // The cast cuts to 0..=255.
    (value + 0.5) as u8
}

/// Whether a factor is so near to 1 that every byte is rounded to what it was.
fn changes_nothing(factor: f32) -> bool {
    (factor - 1.0).abs() < 1e-3
}

/// Moves every value towards `other`, or away from it where the factor is above 1.
fn blend_with(image: &mut Pixels, factor: f32, other: impl Fn(&Pixels) -> f32) {
    if changes_nothing(factor) {
        return;
    }
    let other = (1.0 - factor) * other(image);
    let table: [u8; 256] = std::array::from_fn(|value| to_byte(factor * value as f32 + other));
    for value in &mut image.bytes {
        *value = table[usize::from(*value)];
    }
}

fn mean_luminance(image: &Pixels) -> f32 {
    let sum: u64 = image.bytes.chunks_exact(image.channels).map(|pixel| u64::from(luminance(pixel))).sum();
    (sum as f64 / (image.height * image.width) as f64) as f32
}

fn saturate(image: &mut Pixels, factor: f32) {
    if changes_nothing(factor) || image.channels != 3 {
        return;
    }
    for pixel in image.bytes.chunks_exact_mut(3) {
        let grey = (1.0 - factor) * f32::from(luminance(pixel));
        for value in pixel {
            *value = to_byte(factor * f32::from(*value) + grey);
        }
    }
}

/// Turns the hue in the HSV hexcone (Smith 1978); saturation and value are kept.
fn shift_hue(image: &mut Pixels, shift: f32) {
    if shift == 0.0 || image.channels != 3 {
        return;
    }
    for pixel in image.bytes.chunks_exact_mut(3) {
        let channels = [0, 1, 2].map(|channel| pixel[channel]);
        let (most, least) = channels.iter().fold((0, 255), |(most, least), &value| (value.max(most), value.min(least)));
        if most == least {
            continue;
        }
        let [r, g, b] = channels.map(f32::from);
        let range = f32::from(most - least);
        let sector = if most == channels[0] {
            (g - b) / range
        } else if most == channels[1] {
            2.0 + (b - r) / range
        } else {
            4.0 + (r - g) / range
        };
        let sector = (sector / 6.0 + shift).rem_euclid(1.0) * 6.0;
        // Each channel is a trapezoid over the colour wheel, a third of it apart.
        for (value, offset) in pixel.iter_mut().zip([5.0, 3.0, 1.0]) {
            let place = (offset + sector) % 6.0;
            *value = to_byte(f32::from(most) - range * place.min(4.0 - place).clamp(0.0, 1.0));
        }
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
    fn formulas_are_torchvisions() {
        let mut bright = image();
        Change::Brightness(1.5).apply(&mut bright);
        assert_eq!(bright.bytes, [255, 150, 75, 15, 30, 45, 135, 135, 135]);

        // Luminances 124, 18, 90: mean 77.33.
        assert!((mean_luminance(&image()) - 232.0 / 3.0).abs() < 1e-4);
        let mut flat = image();
        Change::Contrast(0.5).apply(&mut flat);
        assert_eq!(flat.bytes, [139, 89, 64, 44, 49, 54, 84, 84, 84]);

        let mut grey = image();
        Change::Saturation(0.0).apply(&mut grey);
        assert_eq!(grey.bytes, [124, 124, 124, 18, 18, 18, 90, 90, 90]);
    }

    #[test]
    fn hue_goes_around_the_wheel() {
        for (shift, expected) in [(1.0 / 3.0, [50, 200, 100]), (-1.0 / 3.0, [100, 50, 200]), (1.0, [200, 100, 50])] {
            let mut shifted = image();
            Change::Hue(shift).apply(&mut shifted);
            assert_eq!(shifted.bytes[..3], expected, "by {shift}");
            assert_eq!(shifted.bytes[6..], [90, 90, 90], "grey has no hue");
        }
        let mut opposite = Pixels { height: 1, width: 1, channels: 3, bytes: vec![255, 0, 0] };
        Change::Hue(0.5).apply(&mut opposite);
        assert_eq!(opposite.bytes, [0, 255, 255]);
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        let mut random = Key::new(3, Purpose::Augment).stream();
        assert_eq!(ColorJitter::default().apply(image(), [1, 3], &mut random), image());
    }

    #[test]
    fn brightness_uses_its_whole_range_and_no_more() {
        let jitter = ColorJitter { brightness: 0.5, ..ColorJitter::default() };
        let grey = Pixels { height: 1, width: 1, channels: 1, bytes: vec![100] };
        let values: Vec<u8> = (0..400)
            .map(|n| jitter.apply(grey.clone(), [1, 1], &mut Key::new(n, Purpose::Augment).stream()).bytes[0])
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
