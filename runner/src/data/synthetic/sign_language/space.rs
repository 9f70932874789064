//! Points and directions in space: x to the right, y up, z towards the viewer.

/// A point or a direction.
pub type Vector = [f32; 3];

/// `a + share * (b)`.
pub fn along(a: Vector, b: Vector, share: f32) -> Vector {
    std::array::from_fn(|axis| a[axis] + share * b[axis])
}

/// The direction that is `azimuth` away from up, towards the right, and `elevation` towards the
/// viewer. Angles are in degrees.
pub fn direction(azimuth: f32, elevation: f32) -> Vector {
    let (sin, cos) = azimuth.to_radians().sin_cos();
    let (up, flat) = elevation.to_radians().sin_cos();
    [sin * flat, cos * flat, up]
}

/// A rotation by three angles in degrees.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// In the image, counter-clockwise; done last.
    pub roll: f32,
    /// About the upright axis; the right comes to the front.
    pub yaw: f32,
    /// About the axis to the right; the top comes to the front. Done first.
    pub pitch: f32,
}

impl Turn {
    /// The sum of the angles.
    #[must_use]
    pub fn plus(self, other: Turn) -> Self {
        Turn { roll: self.roll + other.roll, yaw: self.yaw + other.yaw, pitch: self.pitch + other.pitch }
    }

    /// Where the rotation takes a point.
    pub fn of(self, [x, y, z]: Vector) -> Vector {
        let (sin, cos) = self.pitch.to_radians().sin_cos();
        let (y, z) = (y * cos - z * sin, y * sin + z * cos);
        let (sin, cos) = self.yaw.to_radians().sin_cos();
        let (x, z) = (x * cos - z * sin, x * sin + z * cos);
        let (sin, cos) = self.roll.to_radians().sin_cos();
        [x * cos - y * sin, x * sin + y * cos, z]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: Vector, b: Vector) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn turns_go_the_way_their_names_say() {
        let turn = |roll, yaw, pitch| Turn { roll, yaw, pitch };
        assert!(near(turn(90.0, 0.0, 0.0).of([0.0, 1.0, 0.0]), [-1.0, 0.0, 0.0]));
        assert!(near(turn(0.0, 90.0, 0.0).of([1.0, 0.0, 0.0]), [0.0, 0.0, 1.0]));
        assert!(near(turn(0.0, 0.0, 90.0).of([0.0, 1.0, 0.0]), [0.0, 0.0, 1.0]));
        // Pitch first, roll last.
        assert!(near(turn(90.0, 0.0, 90.0).of([0.0, 1.0, 0.0]), [0.0, 0.0, 1.0]));
        assert!(near(turn(90.0, 90.0, 0.0).of([0.0, 0.0, 1.0]), [0.0, -1.0, 0.0]));
    }

    #[test]
    fn directions_start_from_up() {
        assert!(near(direction(0.0, 0.0), [0.0, 1.0, 0.0]));
        assert!(near(direction(90.0, 0.0), [1.0, 0.0, 0.0]));
        assert!(near(direction(37.0, 90.0), [0.0, 0.0, 1.0]));
    }
}
