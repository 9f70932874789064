//! `sign_language`: hands that spell, after the manual alphabet of American Sign Language.
//!
//! A hand of bones and flesh in space is posed, turned and lit, in front of a room. Each signer (a
//! build of hand, a skin tone, a sleeve, a room and its light) signs each class once, never quite
//! as the alphabet says. There are few signers, so a net may well learn them by heart.

mod alphabet;
mod camera;
mod hand;
mod room;
mod space;

use super::Generator;
use crate::augment::Pixels;
use crate::random::{Key, Stream};
use alphabet::{CLASSES, pose};
use camera::Camera;
use hand::{Bone, Build};
use room::{Colour, Light, Room, any_colour, skin};
use space::{Turn, along};

/// 40 signers sign each of the 27 classes once.
pub const GENERATOR: Generator = Generator {
    name: "sign_language",
    classes: CLASSES,
    samples: SIGNERS * CLASSES.len(),
    groups: "signer",
    label,
    group: |number| format!("signer_{:02}", signer(number)),
    draw,
};

const SIGNERS: usize = 40;

/// By how much angles of fingers are off, in degrees.
const INEXACTNESS: f32 = 6.0;

/// The class of a sample.
fn label(number: usize) -> usize {
    number % CLASSES.len()
}

/// The signer of a sample.
fn signer(number: usize) -> usize {
    number / CLASSES.len()
}

/// Who signs, and where.
struct Signer {
    build: Build,
    skin: Colour,
    cloth: Colour,
    /// How much of the forearm is bare, in palms.
    bare: f32,
    room: Room,
    light: Light,
    /// How this signer is used to turning the hand.
    habit: Turn,
}

impl Signer {
    fn new(random: &mut Stream) -> Self {
        Signer {
            build: Build::new(random),
            skin: skin(random),
            cloth: any_colour(random),
            bare: random.range(0.2, 1.6),
            room: Room::new(random),
            light: Light::new(random),
            habit: Turn {
                roll: random.range(-8.0, 8.0),
                yaw: random.range(-12.0, 12.0),
                pitch: random.range(-10.0, 10.0),
            },
        }
    }
}

/// The image of a sample, 64x64 RGB.
fn draw(key: Key, number: usize) -> Pixels {
    let signer = Signer::new(&mut key.named("signer").with(signer(number) as u64).stream());
    let random = &mut key.named("sign").with(number as u64).stream();
    let pose = pose(label(number)).inexact(INEXACTNESS, random);
    let off =
        Turn { roll: random.range(-10.0, 10.0), yaw: random.range(-12.0, 12.0), pitch: random.range(-12.0, 12.0) };
    let turn = pose.turn.plus(signer.habit).plus(off);
    let hand = signer.build.posed(&pose).moved(|point| turn.of(point));
    let [xs, ys] = hand.bounds();
    let (width, height) = (xs[1] - xs[0], ys[1] - ys[0]);
    // Large hands are seen larger, but not by as much as they are: somebody has framed them.
    let side = (1.5 + 0.62 * width.max(height)) * random.range(0.88, 1.18);
    let middle = [xs, ys].map(|[low, high]| f32::midpoint(low, high) + 0.09 * side * random.range(-1.0, 1.0));
    let mut camera = Camera::new(middle, side);
    camera.hand(&hand);
    let (arm, sleeve) = forearm(&signer, turn);
    camera.arm(&arm);
    camera.sleeve(&sleeve);
    let room = signer.room.seen([0, 1].map(|_| random.range(-12.0, 12.0)));
    let light = signer.light.clone().dimmed(random.range(0.82, 1.12));
    let mut image = camera.photograph(&room, signer.skin, signer.cloth, &light);
    light.grain(&mut image.bytes, random);
    image
}

/// The forearm, bare and sleeved. The wrist bends, so it turns by half of what the hand turns.
fn forearm(signer: &Signer, turn: Turn) -> (Bone, Bone) {
    let towards = Turn { roll: 0.5 * turn.roll, yaw: 0.0, pitch: 0.5 * turn.pitch }.of([0.0, -1.0, -0.15]);
    let wrist = turn.of([0.0, 0.05, -0.02]);
    let cuff = along(wrist, towards, signer.bare);
    let arm = Bone { ends: [wrist, along(cuff, towards, 0.3)], radii: [0.21, 0.27] };
    let sleeve = Bone { ends: [cuff, along(cuff, towards, 3.0)], radii: [0.32, 0.42] };
    (arm, sleeve)
}
