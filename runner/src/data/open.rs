//! Opens the data that a spec names: finds it, lists its samples, splits them.

use super::{DataFacts, ImageSource, Samples};
use crate::spec::{Data, Problems};
use std::path::Path;
use std::sync::Arc;

/// The data cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The data cannot be had, for a reason that is for a person.
    #[error("{0}")]
    Unavailable(String),
}

/// Data that can be read: its samples are known and split.
#[derive(Clone)]
pub struct Dataset {
    /// All samples.
    pub samples: Samples,
    /// Reads their pixels.
    pub images: Arc<dyn ImageSource>,
    /// What it is.
    pub facts: DataFacts,
    /// Places in `samples` that train.
    pub train: Vec<usize>,
    /// Places in `samples` that are watched while training.
    pub val: Vec<usize>,
    /// Places in `samples` that are looked at once, at the end.
    pub test: Vec<usize>,
}

/// What is known of the data without reading images and without the network. `dir` is the folder
/// of the spec. Paths of the problems start at the top of the spec (`data.source.folder`).
pub fn facts(data: &Data, dir: &Path) -> Result<DataFacts, Problems> {
    let _ = (data, dir);
    todo!()
}

/// Opens the data, downloading a named data set where it is nowhere else.
pub fn open(data: &Data, dir: &Path, seed: u64) -> Result<Dataset, DataError> {
    let _ = (data, dir, seed);
    todo!()
}
