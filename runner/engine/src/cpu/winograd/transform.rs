//! The transforms of squares of pixels, of products and of weights.

// Rows and columns of a square are places in several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::super::scratch::{Scratch, Shared};
use super::super::simd::Simd;
use super::super::wide::wide;
use rayon::prelude::*;

/// F(M x M, 3x3): transforms along one axis, with squares of A = M + 2 pixels.
pub trait Transform<const A: usize, const M: usize>: Copy + Send + Sync {
    /// Of pixels.
    fn pixels<S: Simd>(simd: S, d: [S::Vector; A]) -> [S::Vector; A];
    /// Of products, back to outputs.
    fn outputs<S: Simd>(simd: S, m: [S::Vector; A]) -> [S::Vector; M];
    /// Of weights.
    fn weights(g: [f32; 3]) -> [f32; A];
}

/// `factor * a + b`
#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, a: S::Vector, b: S::Vector) -> S::Vector {
    simd.mul_add(simd.splat(factor), a, b)
}

/// F(2x2, 3x3)
#[derive(Clone, Copy)]
pub struct F2;

impl Transform<4, 2> for F2 {
    #[inline(always)]
    fn pixels<S: Simd>(simd: S, d: [S::Vector; 4]) -> [S::Vector; 4] {
        [simd.sub(d[0], d[2]), simd.add(d[1], d[2]), simd.sub(d[2], d[1]), simd.sub(d[1], d[3])]
    }

    #[inline(always)]
    fn outputs<S: Simd>(simd: S, m: [S::Vector; 4]) -> [S::Vector; 2] {
        [simd.add(m[0], simd.add(m[1], m[2])), simd.sub(simd.sub(m[1], m[2]), m[3])]
    }

    #[inline(always)]
    fn weights(g: [f32; 3]) -> [f32; 4] {
        let outer = g[0] + g[2];
        [g[0], 0.5 * (outer + g[1]), 0.5 * (outer - g[1]), g[2]]
    }
}

/// F(4x4, 3x3), over the points 0, 1, -1, 2, -2 and infinity.
#[derive(Clone, Copy)]
pub struct F4;

impl Transform<6, 4> for F4 {
    #[inline(always)]
    fn pixels<S: Simd>(simd: S, d: [S::Vector; 6]) -> [S::Vector; 6] {
        let (p, q) = (times(simd, -4.0, d[2], d[4]), times(simd, -4.0, d[1], d[3]));
        let (r, s) = (simd.sub(d[4], d[2]), simd.sub(d[3], d[1]));
        [
            times(simd, 4.0, d[0], times(simd, -5.0, d[2], d[4])),
            simd.add(p, q),
            simd.sub(p, q),
            times(simd, 2.0, s, r),
            times(simd, -2.0, s, r),
            times(simd, 4.0, d[1], times(simd, -5.0, d[3], d[5])),
        ]
    }

    #[inline(always)]
    fn outputs<S: Simd>(simd: S, m: [S::Vector; 6]) -> [S::Vector; 4] {
        let (a, b) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
        let (c, d) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
        [
            simd.add(m[0], simd.add(a, c)),
            times(simd, 2.0, d, b),
            times(simd, 4.0, c, a),
            simd.add(times(simd, 8.0, d, b), m[5]),
        ]
    }

    #[inline(always)]
    fn weights(g: [f32; 3]) -> [f32; 6] {
        let near = g[0] + g[2];
        let (far, middle) = ((g[0] + 4.0 * g[2]) * (1.0 / 24.0), g[1] * (1.0 / 12.0));
        [0.25 * g[0], (near + g[1]) * (-1.0 / 6.0), (near - g[1]) * (-1.0 / 6.0), far + middle, far - middle, g[2]]
    }
}

/// The transformed weights, shape (A · A, inputs, outputs); `flipped` with the taps in reverse order.
pub fn transform_weights<T: Transform<A, M>, const A: usize, const M: usize>(weight: &[f32], flipped: bool) -> Scratch {
    const PIECE: usize = 1024;
    let of_tap = weight.len() / 9;
    let mut transformed = Scratch::new(A * A * of_tap);
    let to = Shared::new(&mut transformed);
    (0..of_tap.div_ceil(PIECE)).into_par_iter().for_each(|piece| {
        for start in (piece * PIECE..((piece + 1) * PIECE).min(of_tap)).step_by(RUN) {
            let length = RUN.min(of_tap - start);
            let mut taps = [[0.0; RUN]; 9];
            for (tap, values) in taps.iter_mut().enumerate() {
                let tap = if flipped { 8 - tap } else { tap };
                values[..length].copy_from_slice(&weight[tap * of_tap + start..][..length]);
            }
            let places = wide!(transform_run::<T, A, M>(&taps));
            for (place, values) in places.iter().flatten().enumerate() {
                // SAFETY: each run of each place is of one task, and is taken once.
                let to = unsafe { to.slice(place * of_tap + start, length) };
                to.copy_from_slice(&values[..length]);
            }
        }
    });
    transformed
}

/// Weights that are transformed together, apart from the others: taps lie a power of two apart as a rule, and
/// so do places, so that the same few lines of the cache would hold a weight of each.
const RUN: usize = 64;

#[inline(always)]
fn transform_run<T: Transform<A, M>, const A: usize, const M: usize>(taps: &[[f32; RUN]; 9]) -> [[[f32; RUN]; A]; A] {
    let mut places = [[[0.0; RUN]; A]; A];
    for at in 0..RUN {
        let columns: [[f32; A]; 3] =
            std::array::from_fn(|b| T::weights([taps[b][at], taps[3 + b][at], taps[6 + b][at]]));
        for a in 0..A {
            let row = T::weights([columns[0][a], columns[1][a], columns[2][a]]);
            for b in 0..A {
                places[a][b][at] = row[b];
            }
        }
    }
    places
}
