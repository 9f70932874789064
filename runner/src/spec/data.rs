//! `data:` in a spec.

pub use super::Channels;
use super::ImageMemory;
use super::size::Size;
use crate::regularize::Oversample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The images, how they are read and split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Where the images come from.
    pub source: Source,
    /// What to use where `source` cannot be had: generated images, and the run says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Source>,
    /// The form in which the net gets images.
    pub image: Image,
    /// How samples are divided into training, validation and test.
    #[serde(default)]
    pub split: Split,
    /// Images a training step.
    #[serde(default = "Data::default_batch")]
    pub batch: usize,
    /// A batch is computed in pieces of at most so many images, their gradients added up: less memory,
    /// the same step. By default the whole batch at once, or what `memory_budget` allows. Batch norm that
    /// trains sees each piece alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<usize>,
    /// Classes that are drawn more often in training: `balanced`, or a map from class to factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oversample: Option<Oversample>,
    /// Threads that read images. By default one a core. Changes the speed, never the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// How much memory images may take that are kept decoded from epoch to epoch: `512MiB`, or `off`. By default a quarter
    /// of what is free when the run begins; with `memory_budget`, none. Changes the speed, never the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<ImageMemory>,
    /// The share of unreadable images above which the run stops before training.
    #[serde(default = "Data::default_max_bad")]
    pub max_bad: f64,
}

impl Data {
    /// How many threads read images.
    pub fn workers(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    fn default_batch() -> usize {
        32
    }

    fn default_max_bad() -> f64 {
        0.01
    }
}

/// Where images come from. Paths are relative to the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A data set by name; `runner datasets` lists them.
    Dataset(String),
    /// A folder that holds a folder of images a class.
    Folder(PathBuf),
    /// A folder of images without labels, at any depth: for `task: reconstruct`.
    Images(PathBuf),
    /// A CSV file with the columns `path`, `label`, and perhaps `split` and columns to group by.
    Manifest(PathBuf),
    /// A `.npz` file in MedMNIST's layout: `train_images`, `train_labels`, `val_images`, ...
    Npz(PathBuf),
    /// Generated images, by the name of the generator; `runner datasets` lists them.
    Synthetic(String),
}

impl Source {
    /// Its key in the spec.
    pub fn key(&self) -> &'static str {
        match self {
            Source::Dataset(_) => "dataset",
            Source::Folder(_) => "folder",
            Source::Images(_) => "images",
            Source::Manifest(_) => "manifest",
            Source::Npz(_) => "npz",
            Source::Synthetic(_) => "synthetic",
        }
    }
}

/// The form in which the net gets images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Height and width in pixels.
    pub size: Size,
    /// How many channels they have, and so the net's first layer: `rgb`, `gray`, or a number. Of a
    /// pretrained backbone the first convolution is adapted to it, as `backbone.input` says.
    #[serde(default)]
    pub channels: Channels,
    /// How byte values become the net's inputs.
    #[serde(default)]
    pub normalize: Normalize,
    /// How an image of other proportions is brought to `size`.
    #[serde(default)]
    pub fit: Fit,
}

/// How byte values become the net's inputs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// As the backbone was trained; to [-1, 1] for a net without backbone.
    #[default]
    Backbone,
    /// ImageNet's mean and standard deviation, as torchvision.
    Imagenet,
    /// To [0, 1].
    Unit,
    /// `(value / 255 - mean) / std`, per channel.
    Custom {
        /// Mean of each channel, in [0, 1].
        mean: Vec<f32>,
        /// Standard deviation of each channel, in [0, 1].
        std: Vec<f32>,
    },
}

/// How an image of other proportions is brought to size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Cover the size, then cut off the overhang evenly.
    #[default]
    Crop,
    /// Squeeze to the size.
    Stretch,
    /// Fit into the size, then fill with black.
    Pad,
}

/// How samples are divided. A source with splits of its own (npz, a manifest's `split` column)
/// keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Share that trains.
    #[serde(default = "Split::default_train")]
    pub train: f64,
    /// Share that is watched while training.
    #[serde(default = "Split::default_held_out")]
    pub val: f64,
    /// Share that is looked at once, at the end. By default 0.15; with `folds` each fold is the test once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
    /// Cross-validation: the samples are divided into so many folds, and as many nets are trained, each
    /// tested on the fold that it has not seen. Of the other samples, those that are watched are
    /// `val / (train + val)`. Mean and spread of the scores are reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// Trains only the net that is tested on this fold, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// Whether every split gets the classes in the same proportions.
    #[serde(default = "Split::default_stratify")]
    pub stratify: bool,
    /// What must stay together: samples of one group (patient, source image) are in one split.
    /// A column of the manifest, or what the data set offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Split {
    /// The share that is looked at once, at the end.
    pub fn test_share(&self) -> f64 {
        match self.folds {
            Some(folds) => 1.0 / folds.max(1) as f64,
            None => self.test.unwrap_or(Self::default_held_out()),
        }
    }

    fn default_train() -> f64 {
        0.7
    }

    fn default_held_out() -> f64 {
        0.15
    }

    fn default_stratify() -> bool {
        true
    }
}

impl Default for Split {
    fn default() -> Self {
        Split { train: 0.7, val: 0.15, test: None, folds: None, fold: None, stratify: true, group: None }
    }
}
