//! The operations that automatic augmentation draws from (`rand_augment`, `trivial_augment`,
//! `augmix`), and how far each goes. As torchvision's of the same names.

use super::warp::Linear;
use super::{Border, Pixels, colour, histogram};
use crate::random::Stream;

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Saturation,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

/// All there are.
pub const OPERATIONS: [Operation; 14] = [
    Operation::Identity,
    Operation::ShearX,
    Operation::ShearY,
    Operation::TranslateX,
    Operation::TranslateY,
    Operation::Rotate,
    Operation::Brightness,
    Operation::Saturation,
    Operation::Contrast,
    Operation::Sharpness,
    Operation::Posterize,
    Operation::Solarize,
    Operation::AutoContrast,
    Operation::Equalize,
];

/// How far each operation goes at strength 1; at 0 none does anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// Columns for each row, and rows for each column.
    pub shear: f32,
    /// Below 1 a share of the image's side, from 1 on pixels.
    pub translate: f32,
    /// Degrees.
    pub rotate: f32,
    /// How far a factor is from 1.
    pub factor: f32,
    /// Bits that are left at strength 0 and at 1.
    pub bits: [f32; 2],
}

impl Operation {
    /// The image changed with a strength from 0 to 1. Where there are two directions, one is drawn.
    pub fn apply(self, mut image: Pixels, strength: f32, reach: &Reach, border: Border, random: &mut Stream) -> Pixels {
        let sign = if random.chance(0.5) { -1.0 } else { 1.0 };
        let signed = sign * strength;
        let factor = 1.0 + signed * reach.factor;
        let shift =
            |side: usize| signed * if reach.translate < 1.0 { reach.translate * side as f32 } else { reach.translate };
        let none = Linear::IDENTITY;
        let linear = match self {
            Operation::ShearX => Linear { shear_x: signed * reach.shear, ..none },
            Operation::ShearY => Linear { shear_y: signed * reach.shear, ..none },
            Operation::TranslateX => Linear { right: shift(image.width), ..none },
            Operation::TranslateY => Linear { down: shift(image.height), ..none },
            Operation::Rotate => Linear { degrees: signed * reach.rotate, ..none },
            _ => none,
        };
        if linear != none {
            return linear.apply(&image, border);
        }
        match self {
            Operation::Brightness => colour::brighten(&mut image, factor),
            Operation::Saturation => colour::saturate(&mut image, factor),
            Operation::Contrast => colour::contrast(&mut image, factor),
            Operation::Sharpness => colour::sharpen(&mut image, factor),
            Operation::Posterize => {
                let [from, to] = reach.bits;
                colour::posterize(&mut image, (from + strength * (to - from)).round().clamp(1.0, 8.0) as u32);
            }
            Operation::Solarize => colour::solarize(&mut image, (256.0 * (1.0 - strength)).round() as u32),
            Operation::AutoContrast => histogram::auto_contrast(&mut image),
            Operation::Equalize => histogram::equalize(&mut image),
            _ => {}
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{centroid, dot, stream, waves};
    use super::*;

    const REACH: Reach = Reach { shear: 0.3, translate: 0.25, rotate: 30.0, factor: 0.9, bits: [8.0, 4.0] };

    fn run(operation: Operation, image: Pixels, strength: f32, n: u64) -> Pixels {
        operation.apply(image, strength, &REACH, Border::Black, &mut stream(n))
    }

    #[test]
    fn without_strength_nothing_is_changed() {
        let image = waves(32, 32, 3);
        for operation in OPERATIONS {
            let same = run(operation, image.clone(), 0.0, 0) == image;
            let by_content = [Operation::AutoContrast, Operation::Equalize].contains(&operation);
            assert_eq!(same, !by_content, "{operation:?}");
        }
    }

    #[test]
    fn geometry_goes_as_far_as_its_reach_in_both_directions() {
        // The centre is (20, 20); the pixel stands 10 rows below and 10 columns to the right.
        let ends = |operation| {
            let mut ends: Vec<[i32; 2]> = (0..20)
                .map(|n| centroid(&run(operation, dot([41, 41], [30, 30]), 1.0, n)).map(|at| at.round() as i32))
                .collect();
            ends.sort_unstable();
            ends.dedup();
            ends
        };
        assert_eq!(ends(Operation::TranslateX), [[30, 20], [30, 40]]);
        assert_eq!(ends(Operation::TranslateY), [[20, 30], [40, 30]]);
        assert_eq!(ends(Operation::ShearX), [[30, 27], [30, 33]]);
        assert_eq!(ends(Operation::ShearY), [[27, 30], [33, 30]]);
        // 45 degrees below the horizontal, 14.14 away, turned by 30: 75 and 15 degrees below.
        assert_eq!(ends(Operation::Rotate), [[24, 34], [34, 24]]);
    }

    #[test]
    fn values_go_as_far_as_their_reach() {
        let at =
            |operation, n| run(operation, Pixels { bytes: vec![100; 1], ..Pixels::black(1, 1, 1) }, 1.0, n).bytes[0];
        let both = |operation| -> std::collections::BTreeSet<u8> { (0..20).map(|n| at(operation, n)).collect() };
        assert_eq!(both(Operation::Brightness), [10, 190].into());
        assert_eq!(both(Operation::Posterize), [96].into());
        assert_eq!(both(Operation::Solarize), [155].into());
        let half = run(Operation::Solarize, Pixels { bytes: vec![100, 200], ..Pixels::black(1, 2, 1) }, 0.5, 0);
        assert_eq!(half.bytes, [100, 55]);
    }
}
