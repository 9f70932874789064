//! Generated images: labelled by the generator, so that there is always something to train on.

use super::{BadImage, ImageSource, Sample, Samples};
use crate::augment::Pixels;

/// The generators there are.
pub const NAMES: &[&str] = &["blood_cells"];

/// The classes of a generator.
pub fn classes(generator: &str) -> Option<&'static [&'static str]> {
    (generator == "blood_cells").then_some(&["erythrocyte", "leukocyte", "platelet"])
}

/// The samples of a generator, and what draws them. `None` for an unknown name.
pub fn open(generator: &str, seed: u64) -> Option<(Samples, Synthetic)> {
    let _ = (generator, seed);
    todo!()
}

/// Draws the images of a generator.
#[derive(Debug, Clone)]
pub struct Synthetic {}

impl ImageSource for Synthetic {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        let _ = sample;
        todo!()
    }
}
