//! The room that a signer is in: what is behind the hand, and the light.

use super::super::noise::{Texture, nearly_normal, smoothstep};
use crate::random::Stream;

/// Height and width of an image in pixels.
pub const SIDE: usize = 64;

/// Red, green and blue, from 0 to 255.
pub type Colour = [f32; 3];

/// A room.
pub struct Room {
    wall: Wall,
    colours: [Colour; 2],
    texture: Texture,
    /// Boxes and discs on the wall.
    things: Vec<Thing>,
}

/// What the wall looks like.
enum Wall {
    Flat,
    /// One colour turns into the other along a direction.
    Gradient([f32; 2]),
    /// Blotches of this size in pixels.
    Blotches(f32),
    /// Stripes across a direction, this many pixels wide.
    Stripes([f32; 2], f32),
}

/// Something on the wall.
struct Thing {
    middle: [f32; 2],
    size: [f32; 2],
    round: bool,
    colour: Colour,
}

impl Room {
    /// Some room.
    pub fn new(random: &mut Stream) -> Self {
        let first = any_colour(random);
        let other = any_colour(random);
        let likeness = random.range(0.2, 0.75);
        let second = std::array::from_fn(|n| first[n] * likeness + other[n] * (1.0 - likeness));
        let (sin, cos) = random.range(0.0, std::f32::consts::TAU).sin_cos();
        let wall = match random.below(4) {
            0 => Wall::Flat,
            1 => Wall::Gradient([cos, sin]),
            2 => Wall::Blotches(random.range(5.0, 16.0)),
            _ => Wall::Stripes([cos, sin], random.range(4.0, 12.0)),
        };
        let things = if random.chance(0.6) { 2 + random.below(7) } else { 0 };
        Room {
            wall,
            colours: [first, second],
            texture: Texture::new(random),
            things: (0..things).map(|_| Thing::new(random)).collect(),
        }
    }

    /// The room seen by a camera that is `shift` pixels aside: colours row by row.
    pub fn seen(&self, shift: [f32; 2]) -> Vec<Colour> {
        let place = |number: usize| [(number % SIDE) as f32 + shift[0], (number / SIDE) as f32 + shift[1]];
        (0..SIDE * SIDE).map(|number| self.at(place(number))).collect()
    }

    fn at(&self, place: [f32; 2]) -> Colour {
        let share = match self.wall {
            Wall::Flat => 0.0,
            Wall::Gradient(along) => smoothstep(-45.0, 45.0, centred(place, along)),
            Wall::Blotches(size) => 0.5 + 0.5 * self.texture.at(place[0] / size, place[1] / size),
            Wall::Stripes(along, width) => smoothstep(-0.3, 0.3, (centred(place, along) / width).sin()),
        };
        let wall = std::array::from_fn(|n| self.colours[0][n] * (1.0 - share) + self.colours[1][n] * share);
        self.things.iter().rev().find(|thing| thing.covers(place)).map_or(wall, |thing| thing.colour)
    }
}

/// How far along a direction a place is from the image's middle.
fn centred(place: [f32; 2], along: [f32; 2]) -> f32 {
    let middle = SIDE as f32 / 2.0;
    (place[0] - middle) * along[0] + (place[1] - middle) * along[1]
}

impl Thing {
    fn new(random: &mut Stream) -> Self {
        let side = SIDE as f32;
        Thing {
            middle: [0, 1].map(|_| random.range(-0.1 * side, 1.1 * side)),
            size: [0, 1].map(|_| random.range(0.05 * side, 0.3 * side)),
            round: random.chance(0.5),
            colour: any_colour(random),
        }
    }

    fn covers(&self, place: [f32; 2]) -> bool {
        let [x, y] = [0, 1].map(|axis| (place[axis] - self.middle[axis]) / self.size[axis]);
        if self.round { x * x + y * y < 1.0 } else { x.abs().max(y.abs()) < 1.0 }
    }
}

/// A colour that may be on a wall: seldom a loud one.
pub fn any_colour(random: &mut Stream) -> Colour {
    let value = random.range(35.0, 235.0);
    let loudness = 70.0 * random.unit() * random.unit();
    [0, 1, 2].map(|_| (value + loudness * random.range(-1.0, 1.0)).clamp(10.0, 250.0))
}

/// The colour of somebody's skin, from light to dark.
pub fn skin(random: &mut Stream) -> Colour {
    const TONES: [Colour; 6] = [
        [246.0, 212.0, 190.0],
        [232.0, 188.0, 158.0],
        [212.0, 160.0, 124.0],
        [176.0, 122.0, 88.0],
        [132.0, 88.0, 62.0],
        [92.0, 62.0, 48.0],
    ];
    let place = random.range(0.0, (TONES.len() - 1) as f32);
    let (tone, share) = (place as usize, place.fract());
    std::array::from_fn(|n| TONES[tone][n] * (1.0 - share) + TONES[tone + 1][n] * share + random.range(-6.0, 6.0))
}

/// The light in a room.
#[derive(Debug, Clone)]
pub struct Light {
    /// Where it comes from: right, down, towards the viewer; of length 1.
    pub direction: [f32; 3],
    /// The share that comes from everywhere.
    pub ambient: f32,
    colour: Colour,
    /// How much brighter it gets from pixel to pixel, to the right and down.
    slope: [f32; 2],
    /// Standard deviation of the camera's noise.
    noise: f32,
}

impl Light {
    /// The light in somebody's room.
    pub fn new(random: &mut Stream) -> Self {
        let warmth = random.range(-0.08, 0.08);
        let (sin, cos) = random.range(-2.9, -0.2).sin_cos();
        let flat = random.range(0.3, 0.85);
        Light {
            direction: [flat * cos, flat * sin, (1.0 - flat * flat).sqrt()],
            ambient: random.range(0.3, 0.6),
            colour: [1.0 + warmth, 1.0, 1.0 - warmth].map(|value| 1.1 * value),
            slope: [0, 1].map(|_| random.range(-0.006, 0.006)),
            noise: random.range(2.0, 7.0),
        }
    }

    /// The light at one moment: brighter or darker by a factor.
    #[must_use]
    pub fn dimmed(mut self, factor: f32) -> Self {
        self.colour = self.colour.map(|value| value * factor);
        self
    }

    /// A colour under this light at a pixel.
    pub fn on(&self, colour: Colour, column: usize, row: usize) -> Colour {
        let place = [column, row].map(|place| place as f32 - SIDE as f32 / 2.0);
        let brightness = 1.0 + self.slope[0] * place[0] + self.slope[1] * place[1];
        std::array::from_fn(|n| colour[n] * self.colour[n] * brightness)
    }

    /// Adds the camera's noise.
    pub fn grain(&self, bytes: &mut [u8], random: &mut Stream) {
        for value in bytes {
            *value = (f32::from(*value) + self.noise * nearly_normal(random) + 0.5) as u8;
        }
    }
}
