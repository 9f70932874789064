//! A right hand: bones that are as long and as bent as its build and its pose say.
//!
//! Lengths are in palms, from the wrist to the knuckle of the middle finger. The hand's own space
//! has the wrist at 0, fingers up, and the palm, with the thumb to the right, facing the viewer.

use super::space::{Turn, Vector, along, direction};
use crate::random::Stream;

/// What a hand does. Angles are in degrees.
pub struct Pose {
    /// Index, middle, ring and little finger.
    pub fingers: [Finger; 4],
    /// Azimuth and elevation of the thumb's bones, from the wrist on.
    pub thumb: [[f32; 2]; 3],
    /// How the whole hand is turned.
    pub turn: Turn,
}

/// What a finger does. Angles are in degrees.
pub struct Finger {
    /// Bends of its joints, from the knuckle on.
    pub bends: [f32; 3],
    /// How far it points to the thumb's side.
    pub aside: f32,
}

impl Pose {
    /// The pose as somebody makes it, at one time: every angle is off by about `degrees`.
    #[must_use]
    pub fn inexact(mut self, degrees: f32, random: &mut Stream) -> Self {
        let mut off = |share: f32| (degrees * share * random.normal()).clamp(-2.5 * degrees, 2.5 * degrees);
        for finger in &mut self.fingers {
            // A finger closes as a whole: its joints are off together, for the most part.
            let whole = off(1.0);
            finger.bends = finger.bends.map(|bend| (bend + whole + off(0.5)).clamp(-8.0, 115.0));
            finger.aside += off(0.3);
        }
        self.thumb = self.thumb.map(|bone| bone.map(|angle| angle + off(0.6)));
        self
    }
}

/// How somebody's hand is built. Lengths are in palms.
pub struct Build {
    /// Lengths of the bones of index, middle, ring and little finger.
    fingers: [[f32; 3]; 4],
    /// Lengths of the bones of the thumb.
    thumb: [f32; 3],
    /// Radius of the fingers.
    thickness: f32,
    /// Width of the palm, relative.
    width: f32,
}

impl Build {
    /// Somebody's.
    pub fn new(random: &mut Stream) -> Self {
        let length = random.range(0.86, 1.14);
        let bones = |bones: [f32; 3], random: &mut Stream| {
            let length = length * random.range(0.95, 1.05);
            bones.map(|bone| bone * length)
        };
        Build {
            fingers: [[0.50, 0.30, 0.23], [0.55, 0.35, 0.25], [0.51, 0.33, 0.24], [0.40, 0.24, 0.20]]
                .map(|finger| bones(finger, random)),
            thumb: bones([0.46, 0.38, 0.30], random),
            thickness: random.range(0.105, 0.145),
            width: random.range(0.9, 1.14),
        }
    }

    /// The knuckles of index, middle, ring and little finger.
    fn knuckles(&self) -> [Vector; 4] {
        [[0.31, 0.97], [0.105, 1.0], [-0.1, 0.96], [-0.29, 0.86]].map(|[x, y]| [x * self.width, y, 0.0])
    }

    /// The hand in a pose, in its own space.
    pub fn posed(&self, pose: &Pose) -> Hand {
        let mut bones = Vec::with_capacity(16);
        for ((knuckle, lengths), finger) in self.knuckles().into_iter().zip(self.fingers).zip(&pose.fingers) {
            let little = lengths[0] / self.fingers[1][0];
            let radius = self.thickness * (0.72 + 0.28 * little);
            bones.extend(bend(knuckle, lengths, finger, radius));
        }
        self.thumb(pose.thumb, &mut bones);
        Hand { bones, palm: self.palm(), thickness: 1.25 * self.thickness }
    }

    fn thumb(&self, angles: [[f32; 2]; 3], bones: &mut Vec<Bone>) {
        let mut start = [0.24 * self.width, 0.16, 0.04];
        let radii = [1.75, 1.28, 1.14, 0.92].map(|share| share * self.thickness);
        for (joint, ([azimuth, elevation], length)) in angles.into_iter().zip(self.thumb).enumerate() {
            let end = along(start, direction(azimuth, elevation), length);
            bones.push(Bone { ends: [start, end], radii: [radii[joint], radii[joint + 1]] });
            start = end;
        }
    }

    /// The corners of the palm's middle plane, in order.
    fn palm(&self) -> Vec<Vector> {
        let corners = [[0.3, 0.9], [0.1, 0.95], [-0.1, 0.91], [-0.27, 0.8], [-0.25, 0.5], [-0.17, 0.05], [0.15, 0.05]];
        corners.map(|[x, y]| [x * self.width, y, 0.0]).to_vec()
    }
}

/// The bones of a finger that starts at `knuckle`, where it is `radius` thick.
fn bend(knuckle: Vector, lengths: [f32; 3], finger: &Finger, radius: f32) -> [Bone; 3] {
    let (sin, cos) = finger.aside.to_radians().sin_cos();
    let (mut start, mut bend) = (knuckle, 0.0_f32);
    std::array::from_fn(|joint| {
        bend += finger.bends[joint];
        let (towards, up) = bend.to_radians().sin_cos();
        let end = along(start, [sin * up, cos * up, towards], lengths[joint]);
        let slim = 1.0 - 0.09 * joint as f32;
        let bone = Bone { ends: [start, end], radii: [radius * slim, radius * (slim - 0.09)] };
        start = end;
        bone
    })
}

/// A hand in space.
pub struct Hand {
    /// Bones of fingers and thumb.
    pub bones: Vec<Bone>,
    /// The corners of the palm's middle plane, in order.
    pub palm: Vec<Vector>,
    /// Half of the palm's thickness.
    pub thickness: f32,
}

impl Hand {
    /// The hand with all its points moved.
    #[must_use]
    pub fn moved(mut self, to: impl Fn(Vector) -> Vector) -> Self {
        for bone in &mut self.bones {
            bone.ends = bone.ends.map(&to);
        }
        for corner in &mut self.palm {
            *corner = to(*corner);
        }
        self
    }

    /// The smallest and the greatest x, and y, of the middles of its parts.
    pub fn bounds(&self) -> [[f32; 2]; 2] {
        let points = || self.bones.iter().flat_map(|bone| bone.ends).chain(self.palm.iter().copied());
        [0, 1].map(|axis| {
            let coordinates = || points().map(|point| point[axis]);
            [coordinates().fold(f32::INFINITY, f32::min), coordinates().fold(f32::NEG_INFINITY, f32::max)]
        })
    }
}

/// A bone with the flesh about it: all that is near a line.
#[derive(Debug, Clone, Copy)]
pub struct Bone {
    /// Where it starts and ends.
    pub ends: [Vector; 2],
    /// How far its flesh reaches from it, at start and end.
    pub radii: [f32; 2],
}

#[cfg(test)]
mod tests {
    use super::super::alphabet;
    use super::*;
    use crate::random::{Key, Purpose};

    fn length([a, b]: [Vector; 2]) -> f32 {
        (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f32>().sqrt()
    }

    #[test]
    fn bones_keep_their_length_and_hang_together_in_every_pose() {
        let random = &mut Key::new(3, Purpose::Synthetic).stream();
        let build = Build::new(random);
        let lengths: Vec<f32> = build.fingers.into_iter().chain([build.thumb]).flatten().collect();
        for label in 0..alphabet::CLASSES.len() {
            let pose = alphabet::pose(label).inexact(9.0, random);
            let hand = build.posed(&pose).moved(|point| pose.turn.of(point));
            assert_eq!(hand.bones.len(), lengths.len());
            for (bone, expected) in hand.bones.iter().zip(&lengths) {
                assert!((length(bone.ends) - expected).abs() < 1e-5);
            }
            for joint in hand.bones.windows(2).enumerate().filter(|(n, _)| n % 3 != 2).map(|(_, joint)| joint) {
                assert_eq!(joint[0].ends[1], joint[1].ends[0]);
            }
        }
    }

    #[test]
    fn a_fist_holds_its_fingertips_before_the_palm() {
        let build = Build::new(&mut Key::new(4, Purpose::Synthetic).stream());
        let tips = |class: &str| {
            let label = alphabet::CLASSES.iter().position(|known| *known == class).unwrap();
            let hand = build.posed(&alphabet::pose(label));
            [2, 5, 8, 11].map(|bone| hand.bones[bone].ends[1])
        };
        assert!(tips("b").iter().all(|tip| tip[1] > 1.5 && tip[2].abs() < 0.3));
        assert!(tips("s").iter().all(|tip| tip[1] < 0.9 && tip[2] > 0.15));
    }
}
