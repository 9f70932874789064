//! What the hand does for each class: after the manual alphabet of American Sign Language, whose
//! two moving letters, j and z, are seen here at one moment of their movement.

use super::hand::{Finger, Pose};
use super::space::Turn;

/// The classes.
pub const CLASSES: &[&str] = &[
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w",
    "x", "y", "z", "space",
];

/// Bends of a finger's three joints, from the knuckle on.
type Bends = [f32; 3];
const STRAIGHT: Bends = [2.0, 4.0, 3.0];
const FIST: Bends = [85.0, 100.0, 55.0];
const ROUND: Bends = [52.0, 58.0, 34.0];
const CURVED: Bends = [22.0, 46.0, 34.0];
const CLAW: Bends = [8.0, 108.0, 62.0];
const HOOK: Bends = [4.0, 82.0, 55.0];
const HANGING: Bends = [58.0, 92.0, 22.0];

/// Azimuth and elevation of the thumb's three bones.
type Bones = [[f32; 2]; 3];
const ALONG: Bones = [[46.0, 30.0], [16.0, 16.0], [2.0, 6.0]];
const OUT: Bones = [[58.0, 18.0], [80.0, 10.0], [84.0, 4.0]];
const ACROSS: Bones = [[22.0, 36.0], [-48.0, 8.0], [-74.0, -4.0]];
const OVER: Bones = [[24.0, 58.0], [-18.0, 50.0], [-76.0, 6.0]];
const BELOW: Bones = [[20.0, 52.0], [-50.0, 30.0], [-84.0, 0.0]];
const TOUCHING: Bones = [[10.0, 40.0], [-6.0, 50.0], [-12.0, 44.0]];
const UNDER: Bones = [[16.0, 36.0], [-40.0, 18.0], [-70.0, 10.0]];
const BETWEEN: Bones = [[14.0, 52.0], [-8.0, 42.0], [-4.0, 8.0]];
const FACING: Bones = [[40.0, 34.0], [28.0, 42.0], [10.0, 34.0]];

/// Sideways angles of the fingers that are held together, and of those that are spread.
const TOGETHER: [f32; 4] = [1.0, 0.0, -1.0, -3.0];
const LOOSE: [f32; 4] = [5.0, 1.0, -4.0, -10.0];
const SPREAD: [f32; 4] = [17.0, 3.0, -11.0, -27.0];

const UPRIGHT: Turn = Turn { roll: 0.0, yaw: 0.0, pitch: 0.0 };

/// The pose of a class; that of `space` for a number that is no class.
pub fn pose(label: usize) -> Pose {
    let rolled = |roll: f32| Turn { roll, ..UPRIGHT };
    let turned = |yaw: f32| Turn { yaw, ..UPRIGHT };
    match CLASSES.get(label).copied().unwrap_or("space") {
        "a" => sign([FIST; 4], LOOSE, ALONG, UPRIGHT),
        "b" => sign([STRAIGHT; 4], TOGETHER, ACROSS, UPRIGHT),
        "c" => sign([CURVED; 4], TOGETHER, FACING, turned(58.0)),
        "d" => sign([STRAIGHT, ROUND, ROUND, ROUND], LOOSE, TOUCHING, turned(38.0)),
        "e" => sign([CLAW; 4], TOGETHER, BELOW, UPRIGHT),
        "f" => sign([ROUND, STRAIGHT, STRAIGHT, STRAIGHT], SPREAD, TOUCHING, turned(14.0)),
        "g" => sign([STRAIGHT, FIST, FIST, FIST], LOOSE, [[40.0, 26.0], [6.0, 22.0], [2.0, 4.0]], rolled(84.0)),
        "h" => sign([STRAIGHT, STRAIGHT, FIST, FIST], TOGETHER, OVER, rolled(84.0)),
        "i" => sign([FIST, FIST, FIST, STRAIGHT], LOOSE, OVER, UPRIGHT),
        "j" => sign([FIST, FIST, FIST, STRAIGHT], LOOSE, OVER, Turn { roll: -66.0, yaw: -18.0, pitch: 0.0 }),
        "k" => sign([STRAIGHT, [46.0, 4.0, 3.0], FIST, FIST], SPREAD, BETWEEN, turned(24.0)),
        "l" => sign([STRAIGHT, FIST, FIST, FIST], LOOSE, OUT, UPRIGHT),
        "m" => sign([HANGING, HANGING, HANGING, FIST], LOOSE, UNDER, UPRIGHT),
        "n" => sign([HANGING, HANGING, FIST, FIST], LOOSE, UNDER, UPRIGHT),
        "o" => sign([ROUND; 4], TOGETHER, TOUCHING, turned(58.0)),
        "p" => {
            sign([STRAIGHT, [50.0, 4.0, 3.0], FIST, FIST], SPREAD, BETWEEN, Turn { roll: 138.0, yaw: 24.0, pitch: 0.0 })
        }
        "q" => sign([STRAIGHT, FIST, FIST, FIST], LOOSE, [[40.0, 26.0], [6.0, 22.0], [2.0, 4.0]], rolled(148.0)),
        "r" => sign([STRAIGHT, [8.0, 4.0, 3.0], FIST, FIST], [-9.0, 11.0, -4.0, -10.0], OVER, UPRIGHT),
        "s" => sign([FIST; 4], TOGETHER, OVER, UPRIGHT),
        "t" => sign([FIST; 4], [13.0, -4.0, -6.0, -10.0], BETWEEN, UPRIGHT),
        "u" => sign([STRAIGHT, STRAIGHT, FIST, FIST], TOGETHER, OVER, UPRIGHT),
        "v" => sign([STRAIGHT, STRAIGHT, FIST, FIST], [18.0, -12.0, -4.0, -10.0], OVER, UPRIGHT),
        "w" => sign([STRAIGHT, STRAIGHT, STRAIGHT, FIST], [18.0, 0.0, -18.0, -10.0], OVER, UPRIGHT),
        "x" => sign([HOOK, FIST, FIST, FIST], LOOSE, OVER, turned(30.0)),
        "y" => sign([FIST, FIST, FIST, STRAIGHT], SPREAD, OUT, UPRIGHT),
        "z" => sign([STRAIGHT, FIST, FIST, FIST], LOOSE, OVER, rolled(-48.0)),
        _ => sign([STRAIGHT; 4], SPREAD, OUT, UPRIGHT),
    }
}

fn sign(bends: [Bends; 4], aside: [f32; 4], thumb: Bones, turn: Turn) -> Pose {
    let fingers = std::array::from_fn(|finger| Finger { bends: bends[finger], aside: aside[finger] });
    Pose { fingers, thumb, turn }
}

#[cfg(test)]
mod tests {
    use super::super::hand::{Build, Hand};
    use super::*;
    use crate::random::{Key, Purpose};

    #[test]
    fn no_two_signs_are_alike() {
        let build = Build::new(&mut Key::new(1, Purpose::Synthetic).stream());
        let hands: Vec<Hand> = (0..CLASSES.len())
            .map(|label| {
                let pose = pose(label);
                build.posed(&pose).moved(|point| pose.turn.of(point))
            })
            .collect();
        // The farthest that any bone's end is from where another sign has it, as the viewer sees it.
        let apart = |a: &Hand, b: &Hand| {
            let ends = a.bones.iter().zip(&b.bones).flat_map(|(a, b)| a.ends.into_iter().zip(b.ends));
            ends.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f32::max)
        };
        for (label, hand) in hands.iter().enumerate() {
            for (other, other_hand) in hands.iter().enumerate().skip(label + 1) {
                let far = apart(hand, other_hand);
                assert!(far > 0.2, "{} and {}: {far}", CLASSES[label], CLASSES[other]);
            }
        }
    }
}
