//! Generated images: labelled by the generator, so that there is always something to train on.
//!
//! An image is a function of the seed and its number. It is drawn when it is read.
//!
//! To add a generator: write a file that holds its [`Generator`], and add it to [`all`].

mod blood_cells;
mod noise;
mod sign_language;
mod smear;

use super::sample::Pointer;
use super::{BadImage, ImageSource, Sample, Samples};
use crate::augment::Pixels;
use crate::random::{Key, Purpose};

/// Draws labelled images.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    /// The name.
    pub name: &'static str,
    /// The classes, in the order of labels.
    pub classes: &'static [&'static str],
    /// How many samples there are.
    pub samples: usize,
    /// What its groups are called: what `split.group` may name.
    pub groups: &'static str,
    /// The class of the sample of a number.
    pub label: fn(usize) -> usize,
    /// The group of the sample of a number.
    pub group: fn(usize) -> String,
    /// The image of the sample of a number.
    pub draw: fn(Key, usize) -> Pixels,
}

/// The generators there are.
pub fn all() -> &'static [Generator] {
    const { &[blood_cells::GENERATOR, sign_language::GENERATOR] }
}

/// The generator of this name.
pub fn find(name: &str) -> Option<&'static Generator> {
    all().iter().find(|generator| generator.name == name)
}

/// The names of the generators.
pub fn names() -> Vec<&'static str> {
    all().iter().map(|generator| generator.name).collect()
}

impl Generator {
    /// The classes' names, in the order of labels.
    pub fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|class| (*class).to_owned()).collect()
    }

    /// The samples, and what draws them.
    pub fn open(&'static self, seed: u64) -> (Samples, Synthetic) {
        let samples = Samples {
            classes: self.class_names(),
            samples: (0..self.samples).map(|number| self.sample(number)).collect(),
        };
        let key = Key::new(seed, Purpose::Synthetic).named(self.name);
        (samples, Synthetic { generator: self, key })
    }

    fn sample(&self, number: usize) -> Sample {
        let label = (self.label)(number);
        let class = self.classes.get(label).unwrap_or(&"");
        Sample {
            name: format!("{class}/{number:05}"),
            pointer: Pointer::Number(number),
            label,
            group: Some((self.group)(number)),
            split: None,
        }
    }
}

/// Draws the images of a generator.
#[derive(Debug, Clone)]
pub struct Synthetic {
    generator: &'static Generator,
    key: Key,
}

impl ImageSource for Synthetic {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        match sample.pointer {
            Pointer::Number(number) => Ok((self.generator.draw)(self.key, number)),
            Pointer::File(_) => {
                Err(BadImage { name: sample.name.clone(), reason: "generated images are in no file".to_owned() })
            }
        }
    }

    fn always_readable(&self) -> bool {
        true
    }

    fn size(&self, sample: &Sample) -> Option<[usize; 3]> {
        // Drawing one is soon done.
        self.read(sample).ok().map(|image| [image.height, image.width, image.channels])
    }
}

#[cfg(test)]
mod tests;
