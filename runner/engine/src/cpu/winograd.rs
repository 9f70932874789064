//! Convolution by 3x3 windows with fewer multiplications (Lavin and Gray 2016).
//!
//! Squares of outputs are computed at a time. The pixels under each and the weights are transformed, so
//! that the convolution becomes one product of matrices a place of the transformed square; then the
//! products are transformed back. A task takes a few squares from the first step to the last, so that
//! what lies between stays in the second-level cache.

// Rows and columns of a square are places in several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::super::winograd::Winograd;
use super::packed::{Layout, Packed};
use super::plane::Plane;
use super::scratch::{Scratch, Shared};
use super::simd::{self, Inputs, Instructions, OutRows, Simd, Weights, WithSimd};
use super::sweep::{Finish, Source, Target};
use super::wide::wide;
use rayon::prelude::*;
use std::marker::PhantomData;

/// Values of the transformed squares of a task.
const VALUES: usize = 128 << 10;
/// Squares of a task, at most.
const SQUARES: usize = 48;
/// Fewer channels do not repay the transforms.
const LEAST_CHANNELS: usize = 16;
/// With more input channels the transformed weights are too large.
const MOST_INPUTS: usize = 256;
/// Smaller images have too many squares that stick out.
const LEAST_SIZE: usize = 8;

/// F(M x M, 3x3): transforms along one axis, with squares of A = M + 2 pixels.
trait Transform<const A: usize, const M: usize>: Copy + Send + Sync {
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
struct F2;

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
struct F4;

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

impl Plane {
    /// Whether a convolution like this one is computed so. It depends on the layer alone.
    fn saves_multiplications(&self) -> bool {
        self.kernel == [3, 3]
            && self.stride == [1, 1]
            && self.dilation == [1, 1]
            && (LEAST_CHANNELS..=MOST_INPUTS).contains(&self.inputs)
            && self.outputs >= LEAST_CHANNELS
            && self.output.iter().all(|&size| size >= LEAST_SIZE)
    }

    /// Writes the convolution to `y`, or says that it is not computed so.
    pub fn forward_by_winograd(
        &self,
        choice: Winograd,
        x: &[f32],
        weight: &[f32],
        y: &mut [f32],
        finish: Option<&Finish>,
    ) -> bool {
        if !self.saves_multiplications() {
            return false;
        }
        let of_group = |group: usize| {
            let (layout, target) = self.forward_of(group);
            (layout, target, group * self.inputs)
        };
        match choice {
            Winograd::Off => return false,
            Winograd::F2 => self.squares::<F2, 4, 2>(x, weight, false, of_group, y, finish),
            Winograd::F4 => self.squares::<F4, 6, 4>(x, weight, false, of_group, y, finish),
        }
        true
    }

    /// Writes the gradient to the input to `gx`, or adds it, or says that it is not computed so.
    pub fn input_gradient_by_winograd(
        &self,
        choice: Winograd,
        weight: &[f32],
        gy: &[f32],
        gx: &mut [f32],
        add: bool,
    ) -> bool {
        let all = self.all_outputs();
        let (Some(above), Some(left)) = (2_usize.checked_sub(self.before[0]), 2_usize.checked_sub(self.before[1]))
        else {
            return false;
        };
        let seen_back = Plane {
            size: self.output,
            output: self.size,
            before: [above, left],
            pixel: all,
            line: self.output[1] * all,
            inputs: self.outputs,
            outputs: self.inputs,
            ..*self
        };
        if !seen_back.saves_multiplications() {
            return false;
        }
        let of_group = |group: usize| {
            let layout = Layout { first: group * self.outputs, tap: self.inputs * all, row: 1, column: all };
            let target = Target {
                size: self.size,
                first: [0, 0],
                step: [1, 1],
                pixel: self.pixel,
                channel: group * self.inputs,
                add,
            };
            (layout, target, group * self.outputs)
        };
        match choice {
            Winograd::Off => return false,
            Winograd::F2 => seen_back.squares::<F2, 4, 2>(gy, weight, true, of_group, gx, None),
            Winograd::F4 => seen_back.squares::<F4, 6, 4>(gy, weight, true, of_group, gx, None),
        }
        true
    }

    /// Goes over all squares of all groups. `of_group` says where the transformed weights of a group are,
    /// where its outputs go, and which is its first input channel.
    fn squares<T: Transform<A, M>, const A: usize, const M: usize>(
        &self,
        x: &[f32],
        weight: &[f32],
        flipped: bool,
        of_group: impl Fn(usize) -> (Layout, Target, usize),
        y: &mut [f32],
        finish: Option<&Finish>,
    ) {
        let transformed = transform_weights::<T, A, M>(weight, flipped);
        let grid = self.output.map(|size| size.div_ceil(M));
        let count = self.batch * grid[0] * grid[1];
        let most = VALUES / (A * A * (self.inputs + self.outputs));
        let per_task = (most / 6 * 6).clamp(6, SQUARES);
        let y = Shared::new(y);
        for group in 0..self.groups {
            let (layout, target, channel) = of_group(group);
            let tiles = Instructions::chosen().tiles();
            let weights = &Packed::new(&transformed, layout, A * A, self.inputs, self.outputs, tiles);
            let source =
                Source { values: x, size: self.size, pixel: self.pixel, line: self.line, channel, step: [M, M] };
            (0..count.div_ceil(per_task)).into_par_iter().for_each(|task| {
                let numbers = task * per_task..((task + 1) * per_task).min(count);
                let squares = numbers.map(|number| Square::new(number, grid, self.before, M)).collect();
                let few = Few { squares, source, target, inputs: self.inputs, outputs: self.outputs };
                let mut pixels = Scratch::new(A * A * few.squares.len() * self.inputs);
                let mut products = Scratch::new(A * A * few.squares.len() * self.outputs);
                simd::dispatch(Forth::<T, A, M> { few: &few, to: &mut pixels, transform: PhantomData });
                few.multiply(A * A, weights, &pixels, &mut products);
                simd::dispatch(Back::<T, A, M> { few: &few, from: &products, y: &y, finish, transform: PhantomData });
            });
        }
    }
}

/// The transformed weights, shape (A · A, inputs, outputs); `flipped` with the taps in reverse order.
fn transform_weights<T: Transform<A, M>, const A: usize, const M: usize>(weight: &[f32], flipped: bool) -> Scratch {
    const PIECE: usize = 1024;
    let of_tap = weight.len() / 9;
    let mut transformed = Scratch::new(A * A * of_tap);
    let to = Shared::new(&mut transformed);
    (0..of_tap.div_ceil(PIECE)).into_par_iter().for_each(|piece| {
        let range = piece * PIECE..((piece + 1) * PIECE).min(of_tap);
        let from: [&[f32]; 9] = std::array::from_fn(|tap| {
            let tap = if flipped { 8 - tap } else { tap };
            &weight[tap * of_tap..][range.clone()]
        });
        let mut to: [[&mut [f32]; A]; A] = std::array::from_fn(|a| {
            std::array::from_fn(|b| {
                // SAFETY: each piece of each place is of one task, and is taken once.
                unsafe { to.slice((a * A + b) * of_tap + range.start, range.len()) }
            })
        });
        wide!({
            for at in 0..range.len() {
                let columns: [[f32; A]; 3] =
                    std::array::from_fn(|b| T::weights([from[b][at], from[3 + b][at], from[6 + b][at]]));
                for a in 0..A {
                    let row = T::weights([columns[0][a], columns[1][a], columns[2][a]]);
                    for b in 0..A {
                        to[a][b][at] = row[b];
                    }
                }
            }
        });
    });
    transformed
}

/// Where one square lies.
struct Square {
    image: usize,
    /// Its first output pixel.
    output: [usize; 2],
    /// The first pixel under it.
    corner: [isize; 2],
}

impl Square {
    fn new(number: usize, grid: [usize; 2], before: [usize; 2], side: usize) -> Self {
        let (image, place) = (number / (grid[0] * grid[1]), number % (grid[0] * grid[1]));
        let output = [place / grid[1] * side, place % grid[1] * side];
        let corner = [0, 1].map(|axis| output[axis] as isize - before[axis] as isize);
        Square { image, output, corner }
    }
}

/// The squares of a task.
struct Few<'a> {
    squares: Vec<Square>,
    source: Source<'a>,
    target: Target,
    inputs: usize,
    outputs: usize,
}

impl Few<'_> {
    /// One product of matrices a place: (squares, inputs) times (inputs, outputs).
    fn multiply(&self, places: usize, weights: &Packed, pixels: &[f32], products: &mut [f32]) {
        let tiles = Instructions::chosen().tiles();
        let (count, outputs) = (self.squares.len(), self.outputs);
        let mut heights: Vec<usize> = weights.blocks.iter().map(|block| tiles.most_rows(block.vectors)).collect();
        heights.sort_unstable();
        heights.dedup();
        for most in heights {
            let height = count.div_ceil(count.div_ceil(most));
            let mut inputs = Inputs::new(self.inputs, 1);
            for place in 0..places {
                let pixels = &pixels[place * count * self.inputs..][..count * self.inputs];
                let products = &mut products[place * count * outputs..][..count * outputs];
                inputs.begin(self.inputs);
                pixels.chunks_exact(self.inputs).for_each(|row| inputs.push(row));
                for &block in weights.blocks.iter().filter(|block| tiles.most_rows(block.vectors) == most) {
                    let mut factors = Weights::new(block.vectors * tiles.lanes, self.inputs);
                    factors.push(weights.rows_from(block, place, 0));
                    for (number, products) in products.chunks_mut(height * outputs).enumerate() {
                        let of_block = products.chunks_exact_mut(outputs);
                        let of_block = of_block.map(|row| &mut row[block.start..block.start + block.columns]);
                        let mut out = OutRows::new(block.columns, of_block);
                        let rows = number * height..((number + 1) * height).min(count);
                        tiles.compute(&inputs, rows, &factors, &mut out, false);
                    }
                }
            }
        }
    }
}

/// The transform of the pixels under squares, to (places, squares, inputs).
struct Forth<'a, T, const A: usize, const M: usize> {
    few: &'a Few<'a>,
    to: &'a mut [f32],
    transform: PhantomData<T>,
}

impl<T: Transform<A, M>, const A: usize, const M: usize> WithSimd for Forth<'_, T, A, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Source { values, size, pixel, line, channel, .. } = self.few.source;
        let (count, inputs) = (self.few.squares.len(), self.few.inputs);
        let zeros = vec![0.0; inputs];
        assert!(self.to.len() == A * A * count * inputs);
        for (number, square) in self.few.squares.iter().enumerate() {
            let mut under = [[&zeros[..]; A]; A];
            for (a, under) in under.iter_mut().enumerate() {
                for (b, under) in under.iter_mut().enumerate() {
                    let at = [square.corner[0] + a as isize, square.corner[1] + b as isize];
                    if (0..2).all(|axis| at[axis] >= 0 && at[axis] < size[axis] as isize) {
                        let start = (square.image * size[0] + at[0] as usize) * line + at[1] as usize * pixel + channel;
                        *under = &values[start..start + inputs];
                    }
                }
            }
            for first in (0..inputs).step_by(S::LANES) {
                let lanes = S::LANES.min(inputs - first);
                let mut half = [[simd.splat(0.0); A]; A];
                for b in 0..A {
                    let mut column = [simd.splat(0.0); A];
                    for a in 0..A {
                        // SAFETY: each of these slices has `inputs` values.
                        column[a] = unsafe { simd.load_some(under[a][b].as_ptr().add(first), lanes) };
                    }
                    let column = T::pixels(simd, column);
                    for a in 0..A {
                        half[a][b] = column[a];
                    }
                }
                for a in 0..A {
                    let row = T::pixels(simd, half[a]);
                    for b in 0..A {
                        let start = ((a * A + b) * count + number) * inputs + first;
                        // SAFETY: `to` has room for all squares at all places, as was asserted.
                        unsafe { simd.store_some(self.to.as_mut_ptr().add(start), lanes, row[b]) };
                    }
                }
            }
        }
    }
}

/// The transform of products, (places, squares, outputs), back to outputs.
struct Back<'a, T, const A: usize, const M: usize> {
    few: &'a Few<'a>,
    from: &'a [f32],
    y: &'a Shared<'a>,
    finish: Option<&'a Finish<'a>>,
    transform: PhantomData<T>,
}

impl<T: Transform<A, M>, const A: usize, const M: usize> WithSimd for Back<'_, T, A, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Target { size, pixel, channel, add, .. } = self.few.target;
        let (count, outputs) = (self.few.squares.len(), self.few.outputs);
        assert!(self.from.len() == A * A * count * outputs);
        for (number, square) in self.few.squares.iter().enumerate() {
            let inside = [0, 1].map(|axis| M.min(size[axis] - square.output[axis]));
            let start = |a: usize, b: usize| {
                ((square.image * size[0] + square.output[0] + a) * size[1] + square.output[1] + b) * pixel + channel
            };
            for first in (0..outputs).step_by(S::LANES) {
                let lanes = S::LANES.min(outputs - first);
                let mut half = [[simd.splat(0.0); A]; M];
                for b in 0..A {
                    let mut column = [simd.splat(0.0); A];
                    for a in 0..A {
                        let start = ((a * A + b) * count + number) * outputs + first;
                        // SAFETY: `from` has all squares at all places, as was asserted.
                        column[a] = unsafe { simd.load_some(self.from.as_ptr().add(start), lanes) };
                    }
                    let column = T::outputs(simd, column);
                    for a in 0..M {
                        half[a][b] = column[a];
                    }
                }
                for a in 0..inside[0] {
                    let row = T::outputs(simd, half[a]);
                    for b in 0..inside[1] {
                        // SAFETY: an output pixel is of one square of one task alone.
                        let y = unsafe { self.y.slice(start(a, b) + first, lanes) };
                        let value = if add { simd.add(simd.read(y), row[b]) } else { row[b] };
                        simd.write(y, value);
                    }
                }
            }
            if let Some(finish) = self.finish {
                let together = if outputs == pixel { inside[1] } else { 1 };
                for a in 0..inside[0] {
                    for b in (0..inside[1]).step_by(together) {
                        // SAFETY: as above.
                        let y = unsafe { self.y.slice(start(a, b), together * outputs) };
                        finish(start(a, b), channel..channel + outputs, y);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::slide::{Convolution, Slide};
    use super::super::conv_forward::Weight;
    use super::*;
    use crate::tests::check::normal;
    use crate::{Padding, Window};

    /// The largest difference, over the largest value.
    fn off(found: &[f32], expected: &[f32]) -> f32 {
        let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        found.iter().zip(expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs())) / largest
    }

    #[test]
    fn outputs_and_gradients_are_those_of_sums_tap_by_tap() {
        let paddings = [[1; 4], [0; 4], [0, 2, 1, 1], [2, 1, 2, 0]];
        for (number, padding) in paddings.into_iter().enumerate() {
            for (inputs, outputs, groups) in [(16, 16, 1), (37, 21, 1), (40, 64, 2), (130, 65, 1)] {
                let [top, left, bottom, right] = padding;
                let padding = Padding { top, left, bottom, right };
                let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], padding };
                let dims = [3, 12 + number, 11, inputs];
                let slide = Slide::new("test", &dims, &window).unwrap();
                let conv = Convolution { slide, groups, outputs };
                let plane = Plane::new(&conv);
                let x = normal(1, &dims).1;
                let weight = normal(2, &[3, 3, inputs / groups, outputs]).1;
                let gy = normal(3, &conv.dims()).1;
                let mut expected = vec![0.0; gy.len()];
                plane.forward_as_is(&x, Weight::from(&weight[..]), &mut expected, None);
                let before = normal(4, &dims).1;
                let mut expected_gx = before.clone();
                plane.input_gradient_as_is(&weight, &gy, &mut expected_gx, true);
                for (choice, tolerance) in [(Winograd::F2, 3e-6), (Winograd::F4, 5e-5)] {
                    let mut y = vec![f32::NAN; gy.len()];
                    assert!(plane.forward_by_winograd(choice, &x, &weight, &mut y, None));
                    assert!(off(&y, &expected) < tolerance, "{choice:?} {plane:?}: {}", off(&y, &expected));
                    let mut gx = before.clone();
                    assert!(plane.input_gradient_by_winograd(choice, &weight, &gy, &mut gx, true));
                    assert!(off(&gx, &expected_gx) < tolerance, "{choice:?} {plane:?}: {}", off(&gx, &expected_gx));
                }
                assert!(!plane.forward_by_winograd(Winograd::Off, &x, &weight, &mut expected, None));
            }
        }
    }
}
