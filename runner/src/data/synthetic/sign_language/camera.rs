//! What a camera sees of a hand in front of a room.
//!
//! All is drawn at twice the image's resolution into a map of depths, from which the surface's
//! slope, and so its light, follows. Fingers hide each other and cast their outline on each other
//! without more being said.

use super::hand::{Bone, Hand};
use super::room::{Colour, Light, SIDE};
use super::space::Vector;
use crate::augment::Pixels;

/// Points of the map of depths for one pixel of the image, in each direction.
const FINENESS: usize = 2;

/// Height and width of the map of depths.
const FINE: usize = FINENESS * SIDE;

/// How far the camera is from the hand, in palms.
const DISTANCE: f32 = 7.0;

/// What is seen at a point of the map.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Room,
    Skin,
    Cloth,
}

/// A map of depths.
pub struct Camera {
    /// What is in the image's middle.
    middle: [f32; 2],
    /// Points of the map in one palm, at depth 0.
    scale: f32,
    /// How near the surface is, in points of the map; the greater the nearer.
    depths: Vec<f32>,
    seen: Vec<Seen>,
}

impl Camera {
    /// A camera that looks at `middle`, and sees a square of `side` palms.
    pub fn new(middle: [f32; 2], side: f32) -> Self {
        let (depths, seen) = (vec![f32::NEG_INFINITY; FINE * FINE], vec![Seen::Room; FINE * FINE]);
        Camera { middle, scale: FINE as f32 / side, depths, seen }
    }

    /// Puts a hand before the camera.
    pub fn hand(&mut self, hand: &Hand) {
        for bone in &hand.bones {
            self.bone(bone, Seen::Skin);
        }
        self.palm(hand);
    }

    /// Puts a bare forearm before the camera.
    pub fn arm(&mut self, arm: &Bone) {
        self.bone(arm, Seen::Skin);
    }

    /// Puts a sleeve before the camera.
    pub fn sleeve(&mut self, sleeve: &Bone) {
        self.bone(sleeve, Seen::Cloth);
    }

    /// A point in points of the map, and how much larger than at depth 0 things are there.
    fn project(&self, [x, y, z]: Vector) -> (Vector, f32) {
        let near = DISTANCE / (DISTANCE - z.min(0.5 * DISTANCE));
        let half = FINE as f32 / 2.0;
        let scale = self.scale * near;
        ([half + (x - self.middle[0]) * scale, half - (y - self.middle[1]) * scale, z * self.scale], near)
    }

    /// Sets the depth of every point of the map in a rectangle to what `at` gives, where that is nearer.
    fn fill(&mut self, [left, right]: [f32; 2], [top, bottom]: [f32; 2], seen: Seen, at: impl Fn(f32, f32) -> f32) {
        let border = |place: f32| place.clamp(0.0, FINE as f32) as usize;
        for y in border(top)..border(bottom.ceil()) {
            for x in border(left)..border(right.ceil()) {
                let depth = at(x as f32 + 0.5, y as f32 + 0.5);
                if depth > self.depths[y * FINE + x] {
                    self.depths[y * FINE + x] = depth;
                    self.seen[y * FINE + x] = seen;
                }
            }
        }
    }

    /// A bone: two spheres, and between them a tube.
    fn bone(&mut self, bone: &Bone, seen: Seen) {
        let [(start, near), (end, end_near)] = bone.ends.map(|end| self.project(end));
        let radii = [bone.radii[0] * self.scale * near, bone.radii[1] * self.scale * end_near];
        let reach = radii[0].max(radii[1]);
        let span = |axis: usize| [start[axis].min(end[axis]) - reach, start[axis].max(end[axis]) + reach];
        let axis: Vector = std::array::from_fn(|axis| end[axis] - start[axis]);
        let flat = axis[0].hypot(axis[1]).max(1e-3);
        let length = flat.hypot(axis[2]);
        let (cos, sin) = (flat / length, axis[2] / length);
        let sphere = |centre: Vector, radius: f32, x: f32, y: f32| {
            let under = radius * radius - (x - centre[0]).powi(2) - (y - centre[1]).powi(2);
            if under > 0.0 { centre[2] + under.sqrt() } else { f32::NEG_INFINITY }
        };
        let tube = |x: f32, y: f32| {
            let (dx, dy) = (x - start[0], y - start[1]);
            let ahead = (dx * axis[0] + dy * axis[1]) / flat;
            let beside = (dx * axis[1] - dy * axis[0]) / flat;
            let radius = radii[0] + (radii[1] - radii[0]) * (ahead / flat).clamp(0.0, 1.0);
            let under = radius * radius - beside * beside;
            if under <= 0.0 {
                return f32::NEG_INFINITY;
            }
            let high = under.sqrt();
            let place = (ahead + high * sin) / cos;
            if (0.0..=length).contains(&place) { start[2] + place * sin + high * cos } else { f32::NEG_INFINITY }
        };
        self.fill(span(0), span(1), seen, |x, y| {
            tube(x, y).max(sphere(start, radii[0], x, y)).max(sphere(end, radii[1], x, y))
        });
    }

    /// The palm: all that is near a polygon.
    fn palm(&mut self, hand: &Hand) {
        let corners: Vec<Vector> = hand.palm.iter().map(|&corner| self.project(corner).0).collect();
        let reach = hand.thickness * self.scale;
        let span = |axis: usize| {
            let places = || corners.iter().map(|corner| corner[axis]);
            [places().fold(f32::INFINITY, f32::min) - reach, places().fold(f32::NEG_INFINITY, f32::max) + reach]
        };
        let [Some(&first), Some(&second), Some(&third)] = [0, 2, 5].map(|corner| corners.get(corner)) else { return };
        let plane = plane(first, second, third);
        self.fill(span(0), span(1), Seen::Skin, |x, y| {
            let (inside, [nearest_x, nearest_y], square) = nearest(&corners, x, y);
            let under = if inside { reach * reach } else { reach * reach - square };
            if under <= 0.0 {
                return f32::NEG_INFINITY;
            }
            let (x, y) = if inside { (x, y) } else { (nearest_x, nearest_y) };
            first[2] + plane[0] * (x - first[0]) + plane[1] * (y - first[1]) + under.sqrt()
        });
    }

    /// The image: skin and cloth in their light, and the room where neither is.
    pub fn photograph(&self, room: &[Colour], skin: Colour, cloth: Colour, light: &Light) -> Pixels {
        let mut image = Pixels::black(SIDE, SIDE, 3);
        let nearest = self.depths.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for ((place, pixel), behind) in image.bytes.chunks_exact_mut(3).enumerate().zip(room) {
            let (row, column) = (place / SIDE, place % SIDE);
            let mut sum = [0.0; 3];
            for part in 0..FINENESS * FINENESS {
                let (y, x) = (row * FINENESS + part / FINENESS, column * FINENESS + part % FINENESS);
                let colour = match self.seen[y * FINE + x] {
                    Seen::Room => *behind,
                    Seen::Skin => self.lit(skin, x, y, nearest, light),
                    Seen::Cloth => self.lit(cloth, x, y, nearest, light),
                };
                for (sum, value) in sum.iter_mut().zip(colour) {
                    *sum += value;
                }
            }
            let lit = light.on(sum.map(|sum| sum / (FINENESS * FINENESS) as f32), column, row);
            for (value, lit) in pixel.iter_mut().zip(lit) {
                *value = lit as u8;
            }
        }
        image
    }

    /// A colour as the light makes it on the surface at a point of the map.
    fn lit(&self, colour: Colour, x: usize, y: usize, nearest: f32, light: &Light) -> Colour {
        let here = self.depths[y * FINE + x];
        let depth = |x: usize, y: usize| {
            let depth = self.depths[y.min(FINE - 1) * FINE + x.min(FINE - 1)];
            // Beyond the outline the surface falls away.
            if depth == f32::NEG_INFINITY { here - 2.0 } else { depth }
        };
        let slope = |before: f32, after: f32| ((after - before) / 2.0).clamp(-2.5, 2.5);
        let (across, down) = (
            slope(depth(x.saturating_sub(1), y), depth(x + 1, y)),
            slope(depth(x, y.saturating_sub(1)), depth(x, y + 1)),
        );
        let normal = [-across, -down, 1.0];
        let length = (across * across + down * down + 1.0).sqrt();
        let facing: f32 = normal.iter().zip(light.direction).map(|(a, b)| a * b).sum::<f32>() / length;
        // What lies deep between nearer parts gets less light.
        let depth = ((nearest - here) / self.scale).clamp(0.0, 1.5);
        let amount = (light.ambient + (1.0 - light.ambient) * facing.max(0.0)) * (1.0 - 0.24 * depth);
        colour.map(|value| value * amount)
    }
}

/// The slopes along x and y of the plane through three points; none for a plane seen edge-on.
fn plane(a: Vector, b: Vector, c: Vector) -> [f32; 2] {
    let (u, v): (Vector, Vector) = (std::array::from_fn(|n| b[n] - a[n]), std::array::from_fn(|n| c[n] - a[n]));
    let area = u[0] * v[1] - u[1] * v[0];
    if area.abs() < 1.0 {
        return [0.0; 2];
    }
    let slopes = [(u[2] * v[1] - u[1] * v[2]) / area, (u[0] * v[2] - u[2] * v[0]) / area];
    slopes.map(|slope| slope.clamp(-3.0, 3.0))
}

/// Whether a place is within a polygon, the nearest place on its border, and the square of the
/// distance to that.
fn nearest(corners: &[Vector], x: f32, y: f32) -> (bool, [f32; 2], f32) {
    let (mut inside, mut best) = (false, ([x, y], f32::INFINITY));
    let ends = corners.iter().zip(corners.iter().cycle().skip(1));
    for (&[ax, ay, _], &[bx, by, _]) in ends {
        let (ex, ey) = (bx - ax, by - ay);
        let share = (((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey).max(1e-6)).clamp(0.0, 1.0);
        let place = [ax + share * ex, ay + share * ey];
        let square = (x - place[0]).powi(2) + (y - place[1]).powi(2);
        if square < best.1 {
            best = (place, square);
        }
        // An even number of edges to the right of a place outside (Shimrat 1962).
        if (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * ex {
            inside = !inside;
        }
    }
    (inside, best.0, best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The depth at a place, in palms.
    fn depth(camera: &Camera, [x, y]: [f32; 2]) -> f32 {
        let half = FINE as f32 / 2.0;
        let [column, row] = [half + x * camera.scale, half - y * camera.scale].map(|place| place as usize);
        camera.depths[row * FINE + column] / camera.scale
    }

    fn bone(start: Vector, end: Vector) -> Bone {
        Bone { ends: [start, end], radii: [0.2; 2] }
    }

    #[test]
    fn a_tube_is_as_near_as_geometry_says() {
        let mut camera = Camera::new([0.0; 2], 3.0);
        camera.arm(&bone([-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]));
        assert!((depth(&camera, [0.0, 0.0]) - 0.2).abs() < 0.01);
        assert!((depth(&camera, [0.0, 0.12]) - 0.16).abs() < 0.02);
        assert_eq!(depth(&camera, [0.0, 0.25]), f32::NEG_INFINITY);
        // Slanted by 45 degrees its surface is nearer by the square root of 2.
        let mut camera = Camera::new([0.0; 2], 3.0);
        camera.arm(&bone([-0.3, 0.0, -0.3], [0.3, 0.0, 0.3]));
        assert!((depth(&camera, [0.0, 0.0]) - 0.2 * 2.0_f32.sqrt()).abs() < 0.03);
        // Towards the viewer it is the sphere at its end, which is larger than it would be at depth 0.
        let mut camera = Camera::new([0.0; 2], 3.0);
        camera.arm(&bone([0.0, 0.0, 0.0], [0.0, 0.0, 1.0]));
        assert!((depth(&camera, [0.0, 0.0]) - 1.0 - 0.2 * DISTANCE / (DISTANCE - 1.0)).abs() < 0.01);
    }

    #[test]
    fn the_nearer_hides_the_farther_in_either_order() {
        let (near, far) = (bone([-1.0, 0.0, 0.5], [1.0, 0.0, 0.5]), bone([0.0, -1.0, 0.0], [0.0, 1.0, 0.0]));
        let mut one = Camera::new([0.0; 2], 3.0);
        one.arm(&near);
        one.sleeve(&far);
        let mut other = Camera::new([0.0; 2], 3.0);
        other.sleeve(&far);
        other.arm(&near);
        assert_eq!(one.depths, other.depths);
        assert!(one.seen == other.seen && one.seen[FINE * FINE / 2 + FINE / 2] == Seen::Skin);
    }

    #[test]
    fn what_is_outside_the_view_is_not_drawn() {
        let mut camera = Camera::new([0.0; 2], 3.0);
        camera.arm(&bone([9.0, 9.0, 0.0], [9.0, -9.0, 0.0]));
        camera.arm(&bone([-9.0, -9.0, 0.0], [-7.0, -9.0, 0.0]));
        assert!(camera.seen.iter().all(|seen| *seen == Seen::Room));
    }

    #[test]
    fn distance_to_a_polygon() {
        let square = [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [2.0, 2.0, 0.0], [0.0, 2.0, 0.0]];
        assert!(nearest(&square, 1.0, 1.5).0);
        let (inside, place, distance) = nearest(&square, 3.0, 1.0);
        assert!(!inside && place == [2.0, 1.0] && distance == 1.0);
        assert_eq!(nearest(&square, 5.0, 6.0).2, 25.0);
    }
}
