//! Rows in memory.

use super::Row;
use super::values::{decode, encode};
use crate::spec::Precision;
use std::collections::HashMap;

/// Rows in memory.
pub struct Memory {
    width: usize,
    precision: Precision,
    rows: HashMap<Row, Box<[u8]>>,
}

impl Memory {
    /// None yet, of `width` values each.
    pub fn new(width: usize, precision: Precision) -> Self {
        Memory { width, precision, rows: HashMap::new() }
    }

    /// Whether a row is there.
    pub fn has(&self, row: Row) -> bool {
        self.rows.contains_key(&row)
    }

    /// Appends a row to `out`, if it is there.
    pub fn read(&self, row: Row, out: &mut Vec<f32>) -> bool {
        let Some(bytes) = self.rows.get(&row) else { return false };
        decode(bytes, self.precision, out);
        true
    }

    /// Keeps a row.
    pub fn write(&mut self, row: Row, values: &[f32]) {
        debug_assert_eq!(values.len(), self.width);
        self.rows.insert(row, encode(values, self.precision).into_boxed_slice());
    }
}
