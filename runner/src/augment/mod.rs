//! Augmentations: one file each, holding its YAML form, its behaviour and its tests.
//!
//! To add one: write the file, and add one line to the list at the end of this one. Images are
//! 8-bit until the last step; every random number comes from the sample's own key.

mod catalogue;
mod horizontal_flip;

pub use horizontal_flip::HorizontalFlip;

use crate::random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How training images are varied.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Applied to each training image, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub train: Vec<Augment>,
    /// Applied to each training batch, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<BatchAugment>,
}

/// An 8-bit image in memory: rows of pixels of interleaved channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 or 3.
    pub channels: usize,
    /// `height * width * channels` bytes.
    pub bytes: Vec<u8>,
}

/// Varies one image.
pub trait ImageAugment {
    /// The image varied. `target` is (height, width) of what the net gets: what crops, crops to
    /// it; the others keep the size they are given.
    fn apply(&self, image: Pixels, target: [usize; 2], random: &mut Stream) -> Pixels;
}

catalogue::augmentations! {
    /// Mirrors left and right with this probability.
    HorizontalFlip(HorizontalFlip) = "horizontal_flip",
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchAugment {}
