//! Rows of features that were computed once: in memory, or in a file that later runs find again.

mod disk;
mod memory;
mod values;

pub use disk::{Digests, Disk};
pub use memory::Memory;
pub use values::rounded;

use crate::spec::Precision;
use std::io;

/// Whose features a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    /// The image's place in the data set.
    pub sample: usize,
    /// Which augmented draw of it, from 0; `None` is the image as it is.
    pub draw: Option<usize>,
}

/// Rows of features, each of `width` values.
pub enum FeatureCache {
    /// In memory.
    Memory(Memory),
    /// In a file.
    Disk(Disk),
    /// Not at all: they cannot be kept.
    Nothing,
}

impl FeatureCache {
    /// An empty one in memory.
    pub fn in_memory(width: usize, precision: Precision) -> Self {
        FeatureCache::Memory(Memory::new(width, precision))
    }

    /// Whether rows are kept at all.
    pub fn keeps(&self) -> bool {
        !matches!(self, FeatureCache::Nothing)
    }

    /// Finds out which of some rows are there from earlier runs.
    pub fn look_for(&mut self, rows: &[Row]) {
        if let FeatureCache::Disk(disk) = self {
            disk.look_for(rows);
        }
    }

    /// Whether a row is there, as far as can be told without reading it.
    pub fn has(&self, row: Row) -> bool {
        match self {
            FeatureCache::Memory(memory) => memory.has(row),
            FeatureCache::Disk(disk) => disk.has(row),
            FeatureCache::Nothing => false,
        }
    }

    /// Appends a row to `out`. False where it is not there, or not whole; then nothing is appended.
    pub fn read(&mut self, row: Row, out: &mut Vec<f32>) -> io::Result<bool> {
        match self {
            FeatureCache::Memory(memory) => Ok(memory.read(row, out)),
            FeatureCache::Disk(disk) => disk.read(row, out),
            FeatureCache::Nothing => Ok(false),
        }
    }

    /// Keeps a row.
    pub fn write(&mut self, row: Row, values: &[f32]) -> io::Result<()> {
        match self {
            FeatureCache::Memory(memory) => {
                memory.write(row, values);
                Ok(())
            }
            FeatureCache::Disk(disk) => disk.write(row, values),
            FeatureCache::Nothing => Ok(()),
        }
    }
}
