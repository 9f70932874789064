//! How work is split over threads.
//!
//! Chunks depend on the sizes alone, never on the number of threads, and partial sums are added in
//! the chunks' order. So the results are the same to the last bit on any number of threads.

use rayon::prelude::*;
use std::ops::Range;

/// Values that one thread works on at a time in an elementwise operation.
pub const ELEMENTS: usize = 1 << 15;

/// Runs `f` on each chunk of `length` values, with the chunk's number.
pub fn chunks(values: &mut [f32], length: usize, f: impl Fn(usize, &mut [f32]) + Send + Sync) {
    let length = length.max(1);
    if values.len() <= length {
        if !values.is_empty() {
            f(0, values);
        }
    } else {
        values.par_chunks_mut(length).enumerate().for_each(|(number, chunk)| f(number, chunk));
    }
}

/// Runs `f` on chunks of whole rows of `columns` values, about [`ELEMENTS`] values a chunk, with
/// the number of the chunk's first row.
pub fn rows(values: &mut [f32], columns: usize, f: impl Fn(usize, &mut [f32]) + Send + Sync) {
    let count = (ELEMENTS / columns.max(1)).max(1);
    chunks(values, count * columns, |number, chunk| f(number * count, chunk));
}

/// Splits `0..count` into at most `parts` ranges of at least `least`, and gives what `f` makes of
/// each, in order.
pub fn map<T: Send>(count: usize, parts: usize, least: usize, f: impl Fn(Range<usize>) -> T + Send + Sync) -> Vec<T> {
    let length = count.div_ceil(parts.max(1)).max(least).max(1);
    let ranges = count.div_ceil(length);
    let range = |part: usize| part * length..((part + 1) * length).min(count);
    if ranges <= 1 {
        return (0..ranges).map(|part| f(range(part))).collect();
    }
    (0..ranges).into_par_iter().map(|part| f(range(part))).collect()
}

/// Adds up partial sums in their order.
pub fn total(parts: Vec<Vec<f64>>) -> Vec<f64> {
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_default();
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    sum
}

/// Copies `values` to `to`.
pub fn copy_into(to: &mut [f32], values: &[f32]) {
    chunks(to, ELEMENTS, |number, to| to.copy_from_slice(&values[number * ELEMENTS..][..to.len()]));
}

/// Adds `values` to `sum`, element by element.
pub fn add_into(sum: &mut [f32], values: &[f32]) {
    chunks(sum, ELEMENTS, |number, sum| {
        let values = &values[number * ELEMENTS..][..sum.len()];
        super::wide::wide!(sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value));
    });
}
