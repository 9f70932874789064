//! Augmentations: one file each, holding its YAML form, its behaviour and its tests.
//!
//! To add one: write the file, and add one line to a list at the end of this one. Images are
//! 8-bit until the last step, when they are normalized. Every entry of a list draws from a key of
//! its own (seed, epoch, sample, place in the list), so changing one entry does not change what
//! the others draw.

mod border;
mod catalogue;
mod color_jitter;
mod cutout;
mod fit;
mod horizontal_flip;
mod mixup;
mod pixels;
mod prepare;
mod random_crop;
mod random_resized_crop;
mod rotate;
mod vertical_flip;

pub use border::Border;
pub use color_jitter::ColorJitter;
pub use cutout::{Cutout, CutoutFill};
pub use fit::fit;
pub use horizontal_flip::HorizontalFlip;
pub use mixup::Mixup;
pub use pixels::{Pixels, Region};
pub use prepare::Prepare;
pub use random_crop::RandomCrop;
pub use random_resized_crop::RandomResizedCrop;
pub use rotate::Rotate;
pub use vertical_flip::VerticalFlip;

use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How training images are varied. Images that are evaluated are never varied.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Applied to each training image, in order. If an entry crops to the size of the net's input
    /// (`random_resized_crop`, `random_crop` with `resize`), the entries before it see the image in
    /// its own size; else the image is first brought to size as `data.image.fit` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub train: Vec<Augment>,
    /// Applied to each training batch, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<BatchAugment>,
}

impl Augmentation {
    /// Notes every argument that is out of range. `at` is where this part stands in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        for (place, entry) in self.train.iter().enumerate() {
            entry.check(&at.key("train").index(place).key(entry.name()), problems);
        }
        for (place, entry) in self.batch.iter().enumerate() {
            entry.check(&at.key("batch").index(place).key(entry.name()), problems);
        }
    }
}

/// Varies one image.
pub trait ImageAugment {
    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    fn check(&self, at: &Path, problems: &mut Problems);

    /// Whether it takes an image of any size and returns one of the target's size. The others
    /// return the size that they are given.
    fn crops(&self) -> bool {
        false
    }

    /// The image varied. `target` is (height, width) of what the net gets.
    fn apply(&self, image: Pixels, target: [usize; 2], random: &mut Stream) -> Pixels;
}

/// A batch on its way to the net: images (N, H, W, C) normalized, targets (N, K).
#[derive(Debug, Clone, PartialEq)]
pub struct BatchValues {
    /// Samples.
    pub samples: usize,
    /// Values an image.
    pub image_len: usize,
    /// Classes.
    pub classes: usize,
    /// `samples * image_len` values.
    pub images: Vec<f32>,
    /// `samples * classes` probabilities.
    pub targets: Vec<f32>,
}

/// Varies a whole batch.
pub trait WholeBatchAugment {
    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    fn check(&self, at: &Path, problems: &mut Problems);

    /// Varies images and targets together; each row of the targets still sums to 1.
    fn apply(&self, batch: &mut BatchValues, random: &mut Stream);
}

/// Notes a problem at `path` unless `value` is a probability.
fn check_probability(value: f32, path: Path, problems: &mut Problems) {
    if !(0.0..=1.0).contains(&value) {
        problems.push(Problem::new(path, format!("{value} is no probability")).help("expected a number from 0 to 1"));
    }
}

catalogue::augmentations! {
    /// A random part of the image, brought to size (Szegedy et al. 2015).
    RandomResizedCrop(RandomResizedCrop) = "random_resized_crop",
    /// The image shifted at random: padded, then cut to size.
    RandomCrop(RandomCrop) = "random_crop",
    /// Mirrors left and right with this probability.
    HorizontalFlip(HorizontalFlip) = "horizontal_flip",
    /// Mirrors top and bottom with this probability.
    VerticalFlip(VerticalFlip) = "vertical_flip",
    /// Turns the image by a random angle.
    Rotate(Rotate) = "rotate",
    /// Changes brightness, contrast, saturation and hue at random.
    ColorJitter(ColorJitter) = "color_jitter",
    /// Covers random squares (`DeVries` and Taylor 2017).
    Cutout(Cutout) = "cutout",
}

catalogue::batch_augmentations! {
    /// Blends pairs of images and their targets (Zhang et al. 2018).
    Mixup(Mixup) = "mixup",
}
