//! Samples: labelled images that are not read yet.

use std::path::PathBuf;

/// Which split a sample is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SplitName {
    /// It trains.
    Train,
    /// It is watched while training.
    Val,
    /// It is looked at once, at the end.
    Test,
}

/// Where the pixels of a sample are.
#[derive(Debug, Clone, PartialEq)]
pub enum Pointer {
    /// An image file.
    File(PathBuf),
    /// The image of this number in an array in memory, or of a generator.
    Number(usize),
}

/// One labelled image that is not read yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Names the sample for a person: a path within the source.
    pub name: String,
    /// Where its pixels are.
    pub pointer: Pointer,
    /// Its class's place.
    pub label: usize,
    /// What it must stay together with, if anything.
    pub group: Option<String>,
    /// The split that the source itself puts it in, if any.
    pub split: Option<SplitName>,
}

/// All samples of a source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    /// The classes' names, in the order of labels.
    pub classes: Vec<String>,
    /// The samples, in an order that does not change from run to run.
    pub samples: Vec<Sample>,
}
