//! Generated images: labelled by the generator, so that there is always something to train on.
//!
//! An image is a function of the seed and its number. It is drawn when it is read.

mod blood_cells;
mod smear;

use super::sample::Pointer;
use super::{BadImage, ImageSource, Sample, Samples};
use crate::augment::Pixels;
use crate::random::{Key, Purpose};

/// The generators there are.
pub const NAMES: &[&str] = &["blood_cells"];

/// The classes of a generator.
pub fn classes(generator: &str) -> Option<&'static [&'static str]> {
    (generator == "blood_cells").then_some(blood_cells::CLASSES)
}

/// The samples of a generator, and what draws them. `None` for an unknown name.
///
/// `blood_cells` has 900 samples, 300 a class. Their groups, the source images, are 100 slides of 9
/// samples that share stain, light and focus.
pub fn open(generator: &str, seed: u64) -> Option<(Samples, Synthetic)> {
    let classes = classes(generator)?;
    let sample = |number: usize| {
        let label = blood_cells::label(number);
        Sample {
            name: format!("{}/{number:05}", classes[label]),
            pointer: Pointer::Number(number),
            label,
            group: Some(format!("slide_{:03}", blood_cells::slide(number))),
            split: None,
        }
    };
    let samples = Samples {
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        samples: (0..blood_cells::SAMPLES).map(sample).collect(),
    };
    let key = Key::new(seed, Purpose::Synthetic).named(generator);
    Some((samples, Synthetic { key }))
}

/// Draws the images of a generator.
#[derive(Debug, Clone)]
pub struct Synthetic {
    key: Key,
}

impl ImageSource for Synthetic {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        match sample.pointer {
            Pointer::Number(number) => Ok(blood_cells::draw(self.key, number)),
            Pointer::File(_) => {
                Err(BadImage { name: sample.name.clone(), reason: "generated images are in no file".to_owned() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
