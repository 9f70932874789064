//! `stain_jitter`.

use super::arguments::check_within;
use super::colour::to_byte;
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes how strongly haematoxylin and eosin stain a section of tissue, at random: colours are taken
/// apart into the two stains (colour deconvolution, Ruifrok and Johnston 2001), each stain's amount
/// `a` becomes `a * (1 + scale) + shift` (Tellez et al. 2018), and the colours are put together again.
/// What is neither stain stays. For images of H&E sections in colour; grey images stay as they are.
///
/// `stain_jitter: { scale: 0.2, shift: 0.02 }`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StainJitter {
    /// Each stain's scale is drawn from `[-scale, scale]`; in [0, 1].
    pub scale: f32,
    /// Each stain's shift is drawn from `[-shift, shift]`, in units of optical density (base 10); in
    /// [0, 1].
    pub shift: f32,
}

/// The optical densities in red, green and blue of a unit of haematoxylin and of eosin (Ruifrok and
/// Johnston 2001).
const STAINS: [[f32; 3]; 2] = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]];

impl ImageAugment for StainJitter {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.scale, 0.0..=1.0, at.key("scale"), problems);
        check_within(self.shift, 0.0..=1.0, at.key("shift"), problems);
    }

    fn apply(&self, mut image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let mut draw = |range: f32| random.range(-range, range);
        let scales = [draw(self.scale), draw(self.scale)];
        let shifts = [draw(self.shift), draw(self.shift)];
        if image.channels == 3 {
            restain(&mut image, scales, shifts);
        }
        image
    }
}

/// Changes the amount `a` of each stain to `a * (1 + scale) + shift`.
fn restain(image: &mut Pixels, scales: [f32; 2], shifts: [f32; 2]) {
    let stains = STAINS.map(unit);
    let unmix = unmixing(stains);
    let densities: [f32; 256] = std::array::from_fn(|value| -((value as f32 + 1.0) / 256.0).log10());
    for pixel in image.bytes.chunks_exact_mut(3) {
        let density = [0, 1, 2].map(|channel| densities[usize::from(pixel[channel])]);
        let mut change = [0.0; 3];
        for stain in 0..2 {
            let by = dot(unmix[stain], density) * scales[stain] + shifts[stain];
            for (change, part) in change.iter_mut().zip(stains[stain]) {
                *change += by * part;
            }
        }
        for ((value, density), change) in pixel.iter_mut().zip(density).zip(change) {
            *value = to_byte(256.0 * 10.0_f32.powf(-(density + change)) - 1.0);
        }
    }
}

/// The rows that give the two stains' amounts from densities, where a third part of the densities
/// stands at right angles to both stains.
fn unmixing([a, b]: [[f32; 3]; 2]) -> [[f32; 3]; 2] {
    let third = unit(cross(a, b));
    // The inverse of the matrix of columns a, b, third, row by row.
    let volume = dot(a, cross(b, third));
    [cross(b, third).map(|value| value / volume), cross(third, a).map(|value| value / volume)]
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(a: [f32; 3]) -> [f32; 3] {
    let length = dot(a, a).sqrt();
    a.map(|value| value / length)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, waves};
    use super::*;

    /// The colour of these amounts of the stains.
    fn stained(amounts: [f32; 2]) -> Pixels {
        let [h, e] = STAINS.map(unit);
        let value = |i: usize| to_byte(256.0 * 10.0_f32.powf(-(amounts[0] * h[i] + amounts[1] * e[i])) - 1.0);
        Pixels { height: 1, width: 1, channels: 3, bytes: (0..3).map(value).collect() }
    }

    fn assert_near(image: &Pixels, expected: &Pixels) {
        let near = image.bytes.iter().zip(&expected.bytes).all(|(a, b)| a.abs_diff(*b) <= 2);
        assert!(near, "{:?} is not {:?}", image.bytes, expected.bytes);
    }

    #[test]
    fn stains_are_told_apart() {
        for (scales, shifts, expected) in [
            ([0.5, 0.0], [0.0, 0.0], [0.6, 0.3]),
            ([0.0, -1.0], [0.0, 0.0], [0.4, 0.0]),
            ([0.0, 0.0], [0.1, -0.2], [0.5, 0.1]),
            ([-0.5, 1.0], [0.1, 0.1], [0.3, 0.7]),
        ] {
            let mut image = stained([0.4, 0.3]);
            restain(&mut image, scales, shifts);
            assert_near(&image, &stained(expected));
        }
    }

    #[test]
    fn nothing_drawn_changes_nothing() {
        let image = waves(20, 20, 3);
        assert_eq!(apply(&StainJitter::default(), &image, 0), image);
        assert_eq!(apply(&StainJitter { scale: 1.0, shift: 1.0 }, &waves(4, 4, 1), 0), waves(4, 4, 1));
    }

    #[test]
    fn white_stays_white_without_a_shift() {
        let white = Pixels { height: 1, width: 1, channels: 3, bytes: vec![255; 3] };
        for n in 0..20 {
            assert_eq!(apply(&StainJitter { scale: 1.0, shift: 0.0 }, &white, n), white);
        }
    }

    #[test]
    fn bad_values_are_named_by_key() {
        assert_eq!(refused(&StainJitter { scale: -0.1, shift: 2.0 }), ["a.scale", "a.shift"]);
        assert_eq!(refused(&StainJitter { scale: f32::NAN, shift: 0.0 }), ["a.scale"]);
    }
}
