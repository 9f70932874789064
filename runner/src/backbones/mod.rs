//! Backbones: one file a family.

use crate::layers::{AnyLayer, Shape};
use crate::net::{BuildError, Builder, graph::Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The architectures there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Arch {
    Resnet18,
    Resnet34,
    Resnet50,
    Vgg11,
    Vgg11Bn,
    Vgg16,
    Vgg16Bn,
    Alexnet,
    MobilenetV2,
    EfficientnetLite0,
    EfficientnetB0,
    InceptionV3,
}

/// How byte values become a net's inputs: `(value / 255 - mean) / std`, per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Mean of each channel, in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel, in [0, 1].
    pub std: [f32; 3],
}

impl Arch {
    /// The name, as YAML has it.
    pub fn name(self) -> &'static str {
        todo!()
    }

    /// Adds the stages of the backbone, without its classifier; gives its output.
    pub fn build(self, builder: &mut Builder) -> Result<Source, BuildError> {
        let _ = (self, builder);
        todo!()
    }

    /// The classifier that the framework puts on this backbone.
    pub fn default_head(self, classes: usize) -> Vec<AnyLayer> {
        let _ = (self, classes);
        todo!()
    }

    /// How its pretrained weights want their images.
    pub fn preprocessing(self) -> Preprocessing {
        todo!()
    }

    /// The image size its pretrained weights were made for.
    pub fn native_size(self) -> usize {
        let _ = Shape::Features(0);
        todo!()
    }
}
