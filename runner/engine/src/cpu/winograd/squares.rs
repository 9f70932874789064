//! Squares of outputs, from the pixels under them to the products and back.

// Rows and columns of a square are places in several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::super::packed::Packed;
use super::super::scratch::Shared;
use super::super::simd::{self, Inputs, Instructions, OutRows, Simd, Weights, WithSimd};
use super::super::sweep::{Finish, Source, Target};
use super::transform::Transform;
use std::marker::PhantomData;
use std::ops::Range;

/// Terms of a sum that are added before the next tile: their weights stay in the first-level cache.
const TERMS: usize = 256;

/// Where one square lies.
pub struct Square {
    image: usize,
    /// Its first output pixel.
    output: [usize; 2],
    /// The first pixel under it.
    corner: [isize; 2],
}

impl Square {
    /// The square of this number, over a grid of squares with so many pixels before the image.
    pub fn new(number: usize, grid: [usize; 2], before: [usize; 2], side: usize) -> Self {
        let (image, place) = (number / (grid[0] * grid[1]), number % (grid[0] * grid[1]));
        let output = [place / grid[1] * side, place % grid[1] * side];
        let corner = [0, 1].map(|axis| output[axis] as isize - before[axis] as isize);
        Square { image, output, corner }
    }
}

/// Squares that are transformed together.
pub struct Few<'a> {
    /// Where they lie.
    pub squares: Vec<Square>,
    /// What is read.
    pub source: Source<'a>,
    /// What is written.
    pub target: Target,
    /// Channels of a group that are read.
    pub inputs: usize,
    /// Channels of a group that are written.
    pub outputs: usize,
}

impl Few<'_> {
    /// Transforms the pixels under the squares, to (places, squares, inputs).
    pub fn forth<T: Transform<A, M>, const A: usize, const M: usize>(&self, to: &mut [f32]) {
        simd::dispatch(Forth::<T, A, M> { few: self, to, transform: PhantomData });
    }

    /// Transforms products, (places, squares, outputs), back to outputs.
    pub fn back<T: Transform<A, M>, const A: usize, const M: usize>(
        &self,
        from: &[f32],
        y: &Shared,
        finish: Option<&Finish>,
    ) {
        simd::dispatch(Back::<T, A, M> { few: self, from, y, finish, transform: PhantomData });
    }

    /// One product of matrices for each of these places: (squares, inputs) times (inputs, outputs).
    pub fn multiply(&self, places: Range<usize>, weights: &Packed, pixels: &[f32], products: &mut [f32]) {
        let tiles = Instructions::chosen().tiles();
        let (count, outputs) = (self.squares.len(), self.outputs);
        let mut heights: Vec<usize> = weights.blocks.iter().map(|block| tiles.most_rows(block.vectors)).collect();
        heights.sort_unstable();
        heights.dedup();
        let mut inputs = Inputs::new(self.inputs, 1);
        let of_places = pixels.chunks_exact(count * self.inputs).zip(products.chunks_exact_mut(count * outputs));
        for (place, (pixels, products)) in places.zip(of_places) {
            for first in (0..self.inputs).step_by(TERMS) {
                let length = TERMS.min(self.inputs - first);
                inputs.begin(length);
                pixels.chunks_exact(self.inputs).for_each(|row| inputs.push(&row[first..first + length]));
                for &most in &heights {
                    let height = count.div_ceil(count.div_ceil(most));
                    for &block in weights.blocks.iter().filter(|block| tiles.most_rows(block.vectors) == most) {
                        let mut factors = Weights::new(block.vectors * tiles.lanes, length);
                        factors.push(weights.rows_from(block, place, first));
                        for (number, products) in products.chunks_mut(height * outputs).enumerate() {
                            let of_block = products.chunks_exact_mut(outputs);
                            let of_block = of_block.map(|row| &mut row[block.start..block.start + block.columns]);
                            let mut out = OutRows::new(block.columns, of_block);
                            let rows = number * height..((number + 1) * height).min(count);
                            tiles.compute(&inputs, rows, &factors, &mut out, first > 0);
                        }
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
