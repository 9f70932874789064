//! What is known of the data without reading an image.

/// What is known of the data without reading an image. Planning needs no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFacts {
    /// The classes' names, in the order of the net's outputs.
    pub classes: Vec<String>,
    /// How many samples there are, where that is known.
    pub samples: Option<usize>,
    /// What is used, for a person: `blood_cells (898 images)`, `synthetic blood_cells`.
    pub description: String,
    /// Whether the images are generated because the source could not be had.
    pub fallback: bool,
}
