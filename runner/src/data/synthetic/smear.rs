//! A blood smear under the microscope: light, and what absorbs it.
//!
//! Everything on the slide adds optical density (Beer and Lambert), so cells that overlap darken
//! each other as they do under a microscope. Lengths are in pixels of the whole field, of which an
//! image shows a square; an erythrocyte is about 95 across.

use super::noise::{Texture, nearly_normal};
use crate::augment::Pixels;
use crate::random::Stream;

/// Height and width of an image in pixels.
pub const SIDE: usize = 96;

/// A place in the field: (x, y).
pub type Point = [f32; 2];

/// Optical density by colour: red, green, blue.
pub type Density = [f32; 3];

/// The square of the field that an image shows.
pub struct Smear {
    /// Where the image's centre is in the field.
    centre: Point,
    /// Pixels of the field for one of the image.
    scale: f32,
    /// Optical density of each pixel.
    density: Vec<Density>,
    /// Unevenness: of the smear, of chromatin, of granules.
    pub texture: Texture,
}

impl Smear {
    /// An empty square of the field, `side` wide.
    pub fn new(centre: Point, side: f32, random: &mut Stream) -> Self {
        let texture = Texture::new(random);
        Smear { centre, scale: side / SIDE as f32, density: vec![[0.0; 3]; SIDE * SIDE], texture }
    }

    /// Adds the density `at` gives to every pixel within `reach` of `centre`.
    pub fn absorb(&mut self, centre: Point, reach: f32, at: impl Fn(Point, &Texture) -> Density) {
        let first = |axis: usize, sign: f32| {
            let place = (centre[axis] + sign * reach - self.centre[axis]) / self.scale + SIDE as f32 / 2.0;
            place.clamp(0.0, SIDE as f32).round() as usize
        };
        let (columns, rows) = (first(0, -1.0)..first(0, 1.0), first(1, -1.0)..first(1, 1.0));
        for y in rows {
            for x in columns.clone() {
                let place = [x, y].map(|pixel| pixel as f32 + 0.5 - SIDE as f32 / 2.0);
                let place = [self.centre[0] + place[0] * self.scale, self.centre[1] + place[1] * self.scale];
                let added = at(place, &self.texture);
                for (density, added) in self.density[y * SIDE + x].iter_mut().zip(added) {
                    *density += added;
                }
            }
        }
    }

    /// What the camera sees, with noise of this standard deviation.
    pub fn photograph(&self, light: [f32; 3], noise: f32, random: &mut Stream) -> Pixels {
        let mut image = Pixels::black(SIDE, SIDE, 3);
        for (pixel, density) in image.bytes.chunks_exact_mut(3).zip(&self.density) {
            for ((value, light), density) in pixel.iter_mut().zip(light).zip(density) {
                *value = (light * (-density).exp() + noise * nearly_normal(random) + 0.5) as u8;
            }
        }
        image
    }
}

/// A closed curve that is nearly an ellipse.
#[derive(Clone)]
pub struct Outline {
    /// Its middle.
    pub centre: Point,
    /// Its radius before it is stretched and dented.
    pub radius: f32,
    /// The direction in which it is stretched, and by how much.
    axis: Point,
    stretch: f32,
    /// Relative amplitudes of its second and third harmonics.
    dents: [f32; 4],
}

impl Outline {
    /// A random outline: stretched by up to `stretch`, dented by about `dent`, both relative.
    pub fn new(centre: Point, radius: f32, stretch: f32, dent: f32, random: &mut Stream) -> Self {
        let (sin, cos) = (std::f32::consts::TAU * random.unit()).sin_cos();
        let dents = std::array::from_fn(|_| dent * random.range(-1.0, 1.0));
        Outline { centre, radius, axis: [cos, sin], stretch: 1.0 + stretch * random.unit(), dents }
    }

    /// How far out a place is: 0 in the middle, 1 on the curve.
    pub fn depth(&self, place: Point) -> f32 {
        let (dx, dy) = (place[0] - self.centre[0], place[1] - self.centre[1]);
        let x = (dx * self.axis[0] + dy * self.axis[1]) / self.stretch;
        let y = (dy * self.axis[0] - dx * self.axis[1]) * self.stretch;
        let distance = (x * x + y * y).sqrt().max(1e-3);
        let (cos, sin) = (x / distance, y / distance);
        let (cos2, sin2) = (cos * cos - sin * sin, 2.0 * cos * sin);
        let (cos3, sin3) = (cos * cos2 - sin * sin2, sin * cos2 + cos * sin2);
        let [a, b, c, d] = self.dents;
        distance / (self.radius * (1.0 + a * cos2 + b * sin2 + c * cos3 + d * sin3))
    }

    /// A distance from the centre beyond which nothing of it lies.
    pub fn reach(&self) -> f32 {
        self.radius * self.stretch * (1.0 + self.dents.iter().map(|dent| dent.abs()).sum::<f32>())
    }
}
