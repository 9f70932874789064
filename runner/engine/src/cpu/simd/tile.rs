//! The inner loop of every product: a tile of sums that stays in registers.

// Rows and vectors are places in several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::{MAX_LANES, Simd};
use std::marker::PhantomData;
use std::ops::Range;

/// The most rows of a tile.
pub const MAX_ROWS: usize = 6;
/// The most vectors in a row of a tile.
pub const MAX_VECTORS: usize = 4;

/// A tile of a set of instructions.
///
/// # Safety
/// See [`tile`]; the processor has the set.
pub type TileFn = unsafe fn(&Terms, &[*mut f32], bool);

/// The tiles that a set of instructions has, and how wide its vectors are.
pub struct Tiles {
    /// Numbers in a vector.
    pub lanes: usize,
    /// The vectors in a row of the tile that is the fastest.
    pub best: usize,
    /// By vectors in a row less 1, by rows less 1.
    pub table: [[Option<TileFn>; MAX_ROWS]; MAX_VECTORS],
}

/// The inputs of tiles: for each tap of a tile, those of one row after the other.
pub struct Inputs<'a> {
    length: usize,
    stride: usize,
    pointers: Vec<*const f32>,
    borrowed: PhantomData<&'a [f32]>,
}

impl<'a> Inputs<'a> {
    /// No inputs yet. Each row of each tap will have `length` of them, `stride` numbers apart.
    pub fn new(length: usize, stride: usize) -> Self {
        Inputs { length, stride, pointers: Vec::new(), borrowed: PhantomData }
    }

    /// Drops all inputs; those that follow are of another length.
    pub fn begin(&mut self, length: usize) {
        self.length = length;
        self.pointers.clear();
    }

    /// How many rows of taps there are.
    pub fn len(&self) -> usize {
        self.pointers.len()
    }

    /// Takes back the last rows of taps, so that `len` are left.
    pub fn truncate(&mut self, len: usize) {
        self.pointers.truncate(len);
    }

    /// The inputs of one more row.
    #[inline]
    pub fn push(&mut self, input: &'a [f32]) {
        assert!(self.length > 0 && input.len() > (self.length - 1) * self.stride);
        self.pointers.push(input.as_ptr());
    }

    /// The inputs of so many rows: those of one term side by side, `stride` from term to term.
    #[inline]
    pub fn push_panel(&mut self, rows: usize, panel: &'a [f32]) {
        let reach = self.length.saturating_sub(1) * self.stride + rows;
        assert!(rows <= self.stride && panel.len() >= reach);
        self.pointers.extend(panel[..rows].iter().map(|first| &raw const *first));
    }
}

/// The weights of a tile: a matrix a tap.
pub struct Weights<'a> {
    width: usize,
    length: usize,
    pointers: Vec<*const f32>,
    borrowed: PhantomData<&'a [f32]>,
}

impl<'a> Weights<'a> {
    /// No weights yet. Each tap will have `length` rows of `width`.
    pub fn new(width: usize, length: usize) -> Self {
        Weights { width, length, pointers: Vec::new(), borrowed: PhantomData }
    }

    /// Drops all weights, for another tile.
    pub fn clear(&mut self) {
        self.pointers.clear();
    }

    /// The weights of one more tap.
    #[inline]
    pub fn push(&mut self, weights: &'a [f32]) {
        assert!(weights.len() >= self.length * self.width);
        self.pointers.push(weights.as_ptr());
    }
}

/// The terms of the sums of a tile: for each tap a vector of inputs a row and a matrix of weights. A
/// row's sum runs over the taps, and within each over its `length` inputs, in this order.
pub struct Terms<'a> {
    length: usize,
    stride: usize,
    inputs: &'a [*const f32],
    weights: &'a [*const f32],
}

/// The rows that the sums of a tile go to.
pub struct OutRows<'a> {
    columns: usize,
    count: usize,
    pointers: [*mut f32; MAX_ROWS],
    borrowed: PhantomData<&'a mut [f32]>,
}

impl<'a> OutRows<'a> {
    /// These rows, of so many columns each: as many as a tile has at most.
    #[inline(always)]
    pub fn new(columns: usize, rows: impl Iterator<Item = &'a mut [f32]>) -> Self {
        let mut pointers = [std::ptr::null_mut(); MAX_ROWS];
        let mut count = 0;
        for row in rows {
            assert!(row.len() == columns);
            pointers[count] = row.as_mut_ptr();
            count += 1;
        }
        OutRows { columns, count, pointers, borrowed: PhantomData }
    }

    fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.count);
        // SAFETY: `push` was given `columns` numbers at this pointer, borrowed for longer than `self`.
        unsafe { std::slice::from_raw_parts_mut(self.pointers[row], self.columns) }
    }
}

impl Tiles {
    /// The most rows of a tile whose rows are so many vectors; 0 where there is no such tile.
    pub fn most_rows(&self, vectors: usize) -> usize {
        let of_width = vectors.checked_sub(1).and_then(|at| self.table.get(at));
        of_width.map_or(0, |of_width| of_width.iter().flatten().count())
    }

    /// Computes one tile: each row becomes the sum of its terms, or these are added to it. Its inputs are
    /// those of all rows of its first tap, of its second, and so on, in the range `of_tile`.
    ///
    /// The order of a row's sum is that of the terms whatever the tile, so that it does not depend on
    /// which rows share its tile.
    #[inline]
    pub fn compute(&self, inputs: &Inputs, of_tile: Range<usize>, weights: &Weights, out: &mut OutRows, add: bool) {
        let (rows, width, vectors) = (out.count, weights.width, weights.width / self.lanes);
        let Inputs { length, stride, ref pointers, .. } = *inputs;
        let terms = Terms { length, stride, inputs: &pointers[of_tile], weights: &weights.pointers };
        assert!(rows * terms.weights.len() == terms.inputs.len());
        assert!(terms.weights.is_empty() || weights.length == length);
        assert!(vectors * self.lanes == width && out.columns <= width);
        let of_width = vectors.checked_sub(1).and_then(|at| self.table.get(at));
        let tile = of_width.and_then(|of_width| of_width.get(rows.wrapping_sub(1))).copied().flatten();
        let Some(tile) = tile else { unreachable!("there is no tile of {rows} rows of {vectors} vectors") };
        if out.columns == width {
            // SAFETY: `Inputs`, `Weights` and `OutRows` have checked what they were given; their sizes
            // are those of the tile. A table can be had only where the processor has its instructions.
            return unsafe { tile(&terms, &out.pointers[..rows], add) };
        }
        let mut whole = [[0.0; MAX_LANES * MAX_VECTORS]; MAX_ROWS];
        if add {
            for (row, numbers) in whole.iter_mut().take(rows).enumerate() {
                numbers[..out.columns].copy_from_slice(out.row(row));
            }
        }
        let padded = OutRows::new(width, whole.iter_mut().take(rows).map(|numbers| &mut numbers[..width]));
        // SAFETY: as above.
        unsafe { tile(&terms, &padded.pointers[..rows], add) };
        for (row, numbers) in whole.iter().take(rows).enumerate() {
            let columns = out.columns;
            out.row(row).copy_from_slice(&numbers[..columns]);
        }
    }
}

/// One tile, in registers from the first term to the last.
///
/// # Safety
/// `terms` is for `ROWS` rows of `VECTORS` vectors, with as many inputs a tap, and `ROWS` pointers of
/// `out` can be written to for so many vectors. Must be inlined where the set of instructions may be used.
#[inline(always)]
pub unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    terms: &Terms,
    out: &[*mut f32],
    add: bool,
) {
    let width = VECTORS * S::LANES;
    let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
    for (tap, &weights) in terms.weights.iter().enumerate() {
        let mut inputs = [std::ptr::null::<f32>(); ROWS];
        for row in 0..ROWS {
            // SAFETY: there are `ROWS` inputs a tap.
            inputs[row] = unsafe { *terms.inputs.get_unchecked(tap * ROWS + row) };
        }
        let (mut weights, mut at) = (weights, 0);
        for _ in 0..terms.length {
            // SAFETY: `Inputs` and `Weights` have checked that `length` inputs
            // and rows of weights can be read.
            unsafe {
                let mut factors = [simd.splat(0.0); VECTORS];
                for vector in 0..VECTORS {
                    factors[vector] = simd.load(weights.add(vector * S::LANES));
                }
                for row in 0..ROWS {
                    let input = simd.splat(*inputs[row].add(at));
                    for vector in 0..VECTORS {
                        sums[row][vector] = simd.mul_add(input, factors[vector], sums[row][vector]);
                    }
                }
                // Past the last weights it is not read from.
                weights = weights.wrapping_add(width);
            }
            at += terms.stride;
        }
    }
    for row in 0..ROWS {
        for vector in 0..VECTORS {
            // SAFETY: the caller promises as much.
            unsafe {
                let to = out.get_unchecked(row).add(vector * S::LANES);
                // Added at the end: a sum of a few short sums is rounded less than one long one.
                let sum = if add { simd.add(simd.load(to), sums[row][vector]) } else { sums[row][vector] };
                simd.store(to, sum);
            }
        }
    }
}

/// The table of [`Tiles`] of a set: for each number of vectors in a row, the list of rows.
macro_rules! tiles {
    ($tile:ident, $lanes:expr, best $best:literal, $($vectors:literal: [$($rows:literal)*]),*) => {{
        use $crate::cpu::simd::tile::{MAX_ROWS, MAX_VECTORS, TileFn};
        let mut table: [[Option<TileFn>; MAX_ROWS]; MAX_VECTORS] = [[None; MAX_ROWS]; MAX_VECTORS];
        $($(table[$vectors - 1][$rows - 1] = Some($tile::<$rows, $vectors> as TileFn);)*)*
        Tiles { lanes: $lanes, best: $best, table }
    }};
}
pub(super) use tiles;
