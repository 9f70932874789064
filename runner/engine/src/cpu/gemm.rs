//! Products of matrices, by the `gemm` crate.

use super::split;
use std::cell::RefCell;
use std::ops::Range;

/// A matrix in borrowed memory.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` values, one after the other.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Rows of `columns` values, `row_stride` apart.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(reaches(rows, columns, row_stride) <= values.len());
        Matrix { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// Rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some of the rows.
    pub fn rows(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.rows);
        let start = (range.start * self.row_stride).min(self.values.len());
        Matrix { values: &self.values[start..], rows: range.len(), ..self }
    }

    /// Some of the columns.
    pub fn columns(self, range: Range<usize>) -> Self {
        self.transposed().rows(range).transposed()
    }
}

/// A matrix to be written to.
pub struct MatrixMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// Rows of `columns` values, one after the other.
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Rows of `columns` values, `row_stride` apart.
    pub fn strided(values: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(reaches(rows, columns, row_stride) <= values.len());
        MatrixMut { values, rows, columns, row_stride }
    }
}

/// The number of values that a strided matrix reaches over.
fn reaches(rows: usize, columns: usize, row_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + columns }
}

/// What a product does with the values that were there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// They are lost.
    Overwrite,
    /// The product is added to them.
    Add,
}

/// `destination = left * right`, or `+=`, on this thread.
pub fn multiply(destination: MatrixMut<'_>, left: Matrix<'_>, right: Matrix<'_>, into: Into) {
    let MatrixMut { values, rows: m, columns: n, row_stride } = destination;
    let k = left.columns;
    assert!(left.rows == m && right.columns == n && right.rows == k);
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the three matrices lie within their slices (checked when they were made, and `rows`
    // and `columns` only narrow them); the destination is borrowed mutably, so it overlaps neither.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            values.as_mut_ptr(),
            1,
            row_stride as isize,
            into == Into::Add,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Rows that one thread multiplies at a time: about enough to repay the packing of the right side.
const ROWS: usize = 256;
/// Columns that one thread multiplies at a time where the rows are few.
const COLUMNS: usize = 128;

/// `destination = left * right`, or `+=`, on all threads. The destination's rows follow one
/// another without gaps.
pub fn multiply_on_all(destination: &mut [f32], left: Matrix<'_>, right: Matrix<'_>, into: Into) {
    let (m, n) = (left.rows, right.columns);
    if m > ROWS || n <= COLUMNS {
        let parts = m.div_ceil(ROWS).clamp(1, 32);
        let rows = m.div_ceil(parts);
        split::chunks(destination, rows * n, |number, chunk| {
            let count = chunk.len() / n;
            let left = left.rows(number * rows..number * rows + count);
            multiply(MatrixMut::new(chunk, count, n), left, right, into);
        });
        return;
    }
    let parts = split::map(n, usize::MAX, COLUMNS, |columns| {
        let mut part = vec![0.0; m * columns.len()];
        let width = columns.len();
        multiply(MatrixMut::new(&mut part, m, width), left, right.columns(columns.clone()), Into::Overwrite);
        (columns, part)
    });
    for (columns, part) in parts {
        for (row, part) in destination.chunks_exact_mut(n).zip(part.chunks_exact(columns.len())) {
            let row = &mut row[columns.clone()];
            match into {
                Into::Overwrite => row.copy_from_slice(part),
                Into::Add => row.iter_mut().zip(part).for_each(|(sum, value)| *sum += value),
            }
        }
    }
}

/// Lends this thread's buffer, at least `len` long; what is in it is left from earlier uses.
pub fn with_buffer<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static BUFFER: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        f(&mut buffer[..len])
    })
}
