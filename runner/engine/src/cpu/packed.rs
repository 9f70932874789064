//! Matrices laid out as tiles read them.

use super::scratch::{Scratch, Shared};
use super::simd::Tiles;
use super::wide::wide;
use rayon::prelude::*;

/// Columns that tiles compute together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The first column.
    pub start: usize,
    /// Columns; the last vector may have lanes to spare.
    pub columns: usize,
    /// Vectors.
    pub vectors: usize,
}

/// Divides columns into blocks whose tiles are fast.
pub fn blocks(columns: usize, tiles: &Tiles) -> Vec<Block> {
    let vectors = columns.div_ceil(tiles.lanes);
    // A vector that is left over makes another block wider, where there is such a tile.
    let wider = tiles.most_rows(tiles.best + 1) > 0;
    let count = if wider { (vectors / tiles.best).max(1) } else { vectors.div_ceil(tiles.best) };
    let first_vector = |block: usize| block * (vectors / count.max(1)) + block.min(vectors % count.max(1));
    let block = |number: usize| {
        let (first, end) = (first_vector(number), first_vector(number + 1));
        let start = first * tiles.lanes;
        Block { start, columns: (end * tiles.lanes).min(columns) - start, vectors: end - first }
    };
    if columns == 0 { Vec::new() } else { (0..count).map(block).collect() }
}

/// Where in memory the values of matrices are, one matrix a tap.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The first value.
    pub first: usize,
    /// From one tap to the next.
    pub tap: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

/// Matrices, one a tap, block by block: each block has its columns of all rows of all taps.
pub struct Packed {
    values: Scratch,
    /// How the columns are divided.
    pub blocks: Vec<Block>,
    /// Rows of a matrix.
    pub rows: usize,
    taps: usize,
    lanes: usize,
}

impl Packed {
    /// Packs `taps` matrices of `rows` and `columns`. Lanes to spare hold zeros.
    pub fn new(values: &[f32], layout: Layout, taps: usize, rows: usize, columns: usize, tiles: &Tiles) -> Self {
        Packed::within(Scratch::new, values, layout, [taps, rows, columns], tiles)
    }

    /// The same, to be kept for other kernels.
    pub fn lasting(values: &[f32], layout: Layout, taps: usize, rows: usize, columns: usize, tiles: &Tiles) -> Self {
        Packed::within(Scratch::lasting, values, layout, [taps, rows, columns], tiles)
    }

    fn within(
        memory: impl FnOnce(usize) -> Scratch,
        values: &[f32],
        layout: Layout,
        [taps, rows, columns]: [usize; 3],
        tiles: &Tiles,
    ) -> Self {
        let blocks = blocks(columns, tiles);
        let lanes = tiles.lanes;
        let mut packed = memory(taps * rows * columns.div_ceil(lanes) * lanes);
        let matrices = Matrices { values, layout, taps, rows, lanes, blocks: &blocks };
        if layout.column == 1 {
            matrices.pack_rows(&mut packed);
        } else {
            matrices.pack_columns(&mut packed);
        }
        Packed { values: packed, blocks, rows, taps, lanes }
    }

    /// Whether it is of so many taps and rows.
    pub fn is_of(&self, taps: usize, rows: usize) -> bool {
        (self.taps, self.rows) == (taps, rows)
    }

    /// One block's columns of one tap's matrix, from a row on.
    #[inline]
    pub fn rows_from(&self, block: Block, tap: usize, row: usize) -> &[f32] {
        let width = block.vectors * self.lanes;
        let start = self.taps * self.rows * block.start + (tap * self.rows + row) * width;
        &self.values[start..self.taps * self.rows * block.start + (tap + 1) * self.rows * width]
    }
}

/// Matrices that are to be packed.
struct Matrices<'a> {
    values: &'a [f32],
    layout: Layout,
    taps: usize,
    rows: usize,
    lanes: usize,
    blocks: &'a [Block],
}

impl Matrices<'_> {
    /// Where the columns follow one another: a few rows are read from end to end, and each block gets its share.
    fn pack_rows(&self, packed: &mut [f32]) {
        const ROWS: usize = 16;
        let Matrices { values, layout, taps, rows, lanes, blocks } = *self;
        let parts = rows.div_ceil(ROWS);
        let packed = Shared::new(packed);
        (0..taps * parts).into_par_iter().with_min_len(16).for_each(|task| {
            let (tap, row) = (task / parts, task % parts * ROWS);
            let count = ROWS.min(rows - row);
            for block in blocks {
                let width = block.vectors * lanes;
                let start = taps * rows * block.start + (tap * rows + row) * width;
                // SAFETY: a row of a tap of a block is of one task alone.
                let packed = unsafe { packed.slice(start, count * width) };
                let from = &values[layout.first + tap * layout.tap + row * layout.row + block.start..];
                for (row, packed) in packed.chunks_exact_mut(width).enumerate() {
                    let (own, spare) = packed.split_at_mut(block.columns);
                    copy_columns(own, &from[row * layout.row..][..block.columns]);
                    spare.fill(0.0);
                }
            }
        });
    }

    /// Where they do not, block by block.
    fn pack_columns(&self, packed: &mut [f32]) {
        let Matrices { values, layout, taps, rows, lanes, blocks } = *self;
        let mut parts = Vec::with_capacity(blocks.len() * taps);
        let mut rest = packed;
        for &block in blocks {
            for tap in 0..taps {
                let (part, others) = rest.split_at_mut(rows * block.vectors * lanes);
                parts.push((block, tap, part));
                rest = others;
            }
        }
        parts.into_par_iter().with_min_len(4096_usize.div_ceil(rows.max(1) * lanes)).for_each(|(block, tap, part)| {
            let first = layout.first + tap * layout.tap + block.start * layout.column;
            wide!(pack(&values[first..], layout, block.columns, block.vectors * lanes, part));
        });
    }
}

/// Copies one block of one matrix, whose first value is the first of `values`, a few rows at a time, so that
/// what is written stays in the first-level cache.
#[inline(always)]
fn pack(values: &[f32], layout: Layout, columns: usize, width: usize, packed: &mut [f32]) {
    const ROWS: usize = 64;
    for (rows, packed) in packed.chunks_mut(ROWS * width).enumerate() {
        for column in 0..columns {
            let values = &values[rows * ROWS * layout.row + column * layout.column..];
            for (row, packed) in packed.chunks_exact_mut(width).enumerate() {
                packed[column] = values[row * layout.row];
            }
        }
        packed.chunks_exact_mut(width).for_each(|packed| packed[columns..].fill(0.0));
    }
}

/// Copies the columns of a block. A copy whose length the compiler knows is a few instructions, not a call.
#[inline(always)]
pub fn copy_columns(to: &mut [f32], from: &[f32]) {
    fn copy<const COUNT: usize>(to: &mut [f32], from: &[f32]) {
        to[..COUNT].copy_from_slice(&from[..COUNT]);
    }
    match to.len() {
        8 => copy::<8>(to, from),
        16 => copy::<16>(to, from),
        24 => copy::<24>(to, from),
        32 => copy::<32>(to, from),
        48 => copy::<48>(to, from),
        64 => copy::<64>(to, from),
        _ => to.copy_from_slice(from),
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Instructions;
    use super::*;

    #[test]
    fn blocks_cover_all_columns_with_tiles_that_there_are() {
        for set in Instructions::available() {
            let tiles = set.tiles();
            for columns in 1..300 {
                let blocks = blocks(columns, tiles);
                let mut next = 0;
                for block in &blocks {
                    assert_eq!(block.start, next);
                    assert!(tiles.most_rows(block.vectors) > 0, "{} {columns}: {blocks:?}", set.name());
                    assert!(block.columns <= block.vectors * tiles.lanes && block.columns > 0);
                    next += block.columns;
                }
                assert_eq!(next, columns);
            }
        }
    }

    #[test]
    fn a_matrix_and_its_transpose_pack_alike() {
        let tiles = Instructions::chosen().tiles();
        let (taps, rows, columns) = (2, 70, 21);
        let values: Vec<f32> = (0..taps * rows * columns).map(|value| value as f32).collect();
        let mut transposed = vec![0.0; values.len()];
        for (at, &value) in values.iter().enumerate() {
            let (tap, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
            transposed[(tap * columns + column) * rows + row] = value;
        }
        let tap = rows * columns;
        let plain = Packed::new(&values, Layout { first: 0, tap, row: columns, column: 1 }, taps, rows, columns, tiles);
        let turned =
            Packed::new(&transposed, Layout { first: 0, tap, row: 1, column: rows }, taps, rows, columns, tiles);
        for &block in &plain.blocks {
            for tap in 0..taps {
                assert_eq!(plain.rows_from(block, tap, 0), turned.rows_from(block, tap, 0));
                let width = block.vectors * tiles.lanes;
                for (row, packed) in plain.rows_from(block, tap, 0).chunks(width).enumerate() {
                    for (column, &value) in packed.iter().enumerate() {
                        let at = (tap * rows + row) * columns + block.start + column;
                        assert_eq!(value, if column < block.columns { values[at] } else { 0.0 });
                    }
                }
            }
        }
    }
}
