//! Augmentations: one file each, holding its YAML form, its behaviour and its tests.
//!
//! To add one: write the file, and add one line to a list at the end of this one. Images are
//! 8-bit until the last step, when they are normalized. Every entry of a list draws from a key of
//! its own (seed, epoch, sample, place in the list), so changing one entry does not change what
//! the others draw.

mod affine;
mod arguments;
mod augmix;
mod blur;
mod border;
mod brightness;
mod catalogue;
mod center_crop;
pub mod channels;
mod clahe;
mod color_jitter;
mod colour;
mod context;
mod contrast;
mod cover;
mod cutmix;
mod cutout;
mod distributions;
mod elastic;
mod entries;
mod epochs;
mod equalize;
mod features;
mod fit;
mod gamma;
mod gaussian_blur;
mod gaussian_noise;
mod grayscale;
mod histogram;
mod horizontal_flip;
mod hue_saturation;
mod invert;
mod lead;
mod mixup;
mod one_of;
mod perspective;
mod pixels;
mod policy;
mod posterize;
mod prepare;
mod rand_augment;
mod random_crop;
mod random_erasing;
mod random_resized_crop;
mod resize;
mod rotate;
mod rotate90;
mod sharpen;
mod solarize;
mod sometimes;
mod stain_jitter;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trivial_augment;
mod vertical_flip;
mod views;
mod warp;

pub use affine::Affine;
pub use augmix::Augmix;
pub use border::Border;
pub use brightness::Brightness;
pub use center_crop::CenterCrop;
pub use clahe::Clahe;
pub use color_jitter::ColorJitter;
pub use context::Context;
pub use contrast::Contrast;
pub use cover::Cover;
pub use cutmix::Cutmix;
pub use cutout::Cutout;
pub use elastic::Elastic;
pub use entries::apply_all_to_batch;
pub use epochs::Epochs;
pub use equalize::Equalize;
pub use features::FeatureAugment;
pub use fit::fit;
pub use gamma::Gamma;
pub use gaussian_blur::GaussianBlur;
pub use gaussian_noise::GaussianNoise;
pub use grayscale::Grayscale;
pub use horizontal_flip::HorizontalFlip;
pub use hue_saturation::HueSaturation;
pub use invert::Invert;
pub use lead::Lead;
pub use mixup::Mixup;
pub use one_of::OneOf;
pub use perspective::Perspective;
pub use pixels::{Pixels, Region};
pub use posterize::Posterize;
pub use prepare::Prepare;
pub use rand_augment::RandAugment;
pub use random_crop::RandomCrop;
pub use random_erasing::RandomErasing;
pub use random_resized_crop::RandomResizedCrop;
pub use resize::Resize;
pub use rotate::Rotate;
pub use rotate90::Rotate90;
pub use sharpen::Sharpen;
pub use solarize::Solarize;
pub use sometimes::Sometimes;
pub use stain_jitter::StainJitter;
pub use trivial_augment::TrivialAugment;
pub use vertical_flip::VerticalFlip;
pub use views::Views;

use crate::random::Stream;
use crate::spec::{Path, Problems};
use entries::{Entry, check_all};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How images are varied: those that train, and those that are tested where `test` says so. Validation
/// sees images as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Applied to each training image, in order. If an entry decides on the size (`resize`,
    /// `center_crop`, `random_resized_crop`, `random_crop` with `resize`, or one that holds such an
    /// entry), the entries up to it see the image in its own size; else the image is first brought to
    /// the size of the net's input as `data.image.fit` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub train: Vec<Augment>,
    /// Applied to each training batch, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<BatchAugment>,
    /// Applied to what the frozen part of the net makes of each training batch, in order: it is cheap, and leaves what is
    /// kept of images as it is. Where all of the net trains, applied to the batch itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureAugment>,
    /// Several views of each image that is tested: at the end of a run, by `runner evaluate`
    /// and by `runner predict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Views>,
}

impl Augmentation {
    /// Notes every argument that is out of range. `at` is where this part stands in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        check_all(&self.train, &at.key("train"), problems);
        check_all(&self.batch, &at.key("batch"), problems);
        check_all(&self.features, &at.key("features"), problems);
        if let Some(test) = &self.test {
            test.check(&at.key("test"), problems);
        }
    }

    /// Whether it mixes the targets of images.
    pub fn mixes(&self) -> bool {
        !(self.batch.is_empty() && self.features.is_empty())
    }

    /// What testing needs of it.
    #[must_use]
    pub fn for_test(&self) -> Augmentation {
        Augmentation { test: self.test.clone(), ..Augmentation::default() }
    }

    /// How many views of an image are tested.
    pub fn test_views(&self) -> usize {
        self.test.as_ref().map_or(1, |test| test.views)
    }
}

/// Varies one image.
pub trait ImageAugment {
    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    fn check(&self, at: &Path, problems: &mut Problems);

    /// Whether it decides on the size of the image. The others return the size that they are given.
    fn sizes(&self) -> bool {
        false
    }

    /// Whether it does the same to an image each time, whatever is drawn and in whatever epoch.
    fn is_fixed(&self) -> bool {
        false
    }

    /// Whether what it does depends on the epoch, besides what is drawn.
    fn depends_on_epoch(&self) -> bool {
        false
    }

    /// The image varied.
    fn apply(&self, image: Pixels, context: Context, random: &mut Stream) -> Pixels;

    /// As [`ImageAugment::apply`], of an image that others need as well.
    fn apply_to(&self, image: &Pixels, context: Context, random: &mut Stream) -> Pixels {
        self.apply(image.clone(), context, random)
    }
}

/// A batch on its way to the net: images (N, H, W, C) normalized, targets (N, K).
#[derive(Debug, Clone, PartialEq)]
pub struct BatchValues {
    /// Samples.
    pub samples: usize,
    /// (H, W, C) of an image.
    pub dims: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// `samples * H * W * C` values.
    pub images: Vec<f32>,
    /// `samples * classes` probabilities.
    pub targets: Vec<f32>,
}

impl BatchValues {
    /// Values an image.
    pub fn image_len(&self) -> usize {
        self.dims.iter().product()
    }
}

/// Varies a whole batch.
pub trait WholeBatchAugment {
    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    fn check(&self, at: &Path, problems: &mut Problems);

    /// Varies images and targets together; each row of the targets still sums to 1. Epochs are counted
    /// from 1.
    fn apply(&self, batch: &mut BatchValues, epoch: u64, random: &mut Stream);
}

catalogue::augmentations! {
    /// Scales the image, proportions kept.
    Resize(Resize) = "resize",
    /// The centre of the image, of the size of the net's input.
    CenterCrop(CenterCrop) = "center_crop",
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
    /// Turns the image by a random multiple of 90 degrees.
    Rotate90(Rotate90) = "rotate90",
    /// Shears, scales, turns and shifts the image at random.
    Affine(Affine) = "affine",
    /// Views the image askew.
    Perspective(Perspective) = "perspective",
    /// Distorts the image like rubber (Simard et al. 2003).
    Elastic(Elastic) = "elastic",
    /// Changes brightness, contrast, saturation and hue at random.
    ColorJitter(ColorJitter) = "color_jitter",
    /// Makes the image lighter or darker by a random factor.
    Brightness(Brightness) = "brightness",
    /// Changes the contrast by a random factor.
    Contrast(Contrast) = "contrast",
    /// Raises values to a random power.
    Gamma(Gamma) = "gamma",
    /// Turns the hue and changes the saturation at random.
    HueSaturation(HueSaturation) = "hue_saturation",
    /// Takes the colours away with this probability.
    Grayscale(Grayscale) = "grayscale",
    /// Inverts every value with this probability.
    Invert(Invert) = "invert",
    /// Keeps only some of the bits of every value.
    Posterize(Posterize) = "posterize",
    /// Inverts every value from a random threshold on.
    Solarize(Solarize) = "solarize",
    /// Makes all values about equally frequent, with this probability.
    Equalize(Equalize) = "equalize",
    /// Equalizes the luminance within tiles, contrast limited (Zuiderveld 1994).
    Clahe(Clahe) = "clahe",
    /// Changes the amounts of haematoxylin and eosin (Ruifrok and Johnston 2001).
    StainJitter(StainJitter) = "stain_jitter",
    /// Blurs the image by a Gaussian of random width.
    GaussianBlur(GaussianBlur) = "gaussian_blur",
    /// Adds noise of random strength.
    GaussianNoise(GaussianNoise) = "gaussian_noise",
    /// Sharpens or smooths the image by a random factor.
    Sharpen(Sharpen) = "sharpen",
    /// Covers random squares (`DeVries` and Taylor 2017).
    Cutout(Cutout) = "cutout",
    /// Covers a rectangle of random size and proportions (Zhong et al. 2020).
    RandomErasing(RandomErasing) = "random_erasing",
    /// A few random operations of one strength (Cubuk et al. 2020).
    RandAugment(RandAugment) = "rand_augment",
    /// One random operation of a random strength (Müller and Hutter 2021).
    TrivialAugment(TrivialAugment) = "trivial_augment",
    /// Mixes chains of random operations with the image (Hendrycks et al. 2020).
    Augmix(Augmix) = "augmix",
    /// One of several entries.
    OneOf(OneOf<Augment>) = "one_of",
    /// Entries with a probability.
    Sometimes(Sometimes<Augment>) = "sometimes",
    /// Entries in some epochs only.
    Epochs(Epochs<Augment>) = "epochs",
}

catalogue::batch_augmentations! {
    /// Blends pairs of images and their targets (Zhang et al. 2018).
    Mixup(Mixup) = "mixup",
    /// Pastes a part of another image into each (Yun et al. 2019).
    Cutmix(Cutmix) = "cutmix",
    /// One of several entries.
    OneOf(OneOf<BatchAugment>) = "one_of",
    /// Entries with a probability.
    Sometimes(Sometimes<BatchAugment>) = "sometimes",
    /// Entries in some epochs only.
    Epochs(Epochs<BatchAugment>) = "epochs",
}
