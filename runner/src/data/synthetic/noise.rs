//! What makes a drawing less smooth: grain, unevenness, soft edges.

use crate::random::Stream;

/// The sum of four uniform numbers, of variance 1: near enough to normal for noise, and quick.
pub fn nearly_normal(random: &mut Stream) -> f32 {
    let sum: u32 = random.bits().to_le_bytes().into_iter().map(u32::from).sum();
    (sum as f32 - 510.0) / 147.8
}

/// 0 below `low`, 1 above `high`, smooth between.
pub fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Smooth unevenness that repeats every 16 units.
pub struct Texture([[f32; 16]; 16]);

impl Texture {
    /// A random one.
    pub fn new(random: &mut Stream) -> Self {
        Texture(std::array::from_fn(|_| std::array::from_fn(|_| random.range(-1.0, 1.0))))
    }

    /// A number in [-1, 1].
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (right, down) = (smoothstep(0.0, 1.0, x - left), smoothstep(0.0, 1.0, y - top));
        let value = |dy: i32, dx: i32| self.0[((top as i32 + dy) & 15) as usize][((left as i32 + dx) & 15) as usize];
        let row = |dy: i32| value(dy, 0) * (1.0 - right) + value(dy, 1) * right;
        row(0) * (1.0 - down) + row(1) * down
    }
}
