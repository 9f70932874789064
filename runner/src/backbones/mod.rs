//! Backbones: one file a family.
//!
//! Parameters are named as torchvision's `state_dict` names them (the `EfficientNets` have names of
//! their own), and stand in the same order.

mod alexnet;
mod efficientnet;
mod head;
mod inception_v3;
mod mobilenet_v2;
mod parts;
mod preprocessing;
mod resnet;
#[cfg(test)]
mod tests;
mod vgg;

pub use preprocessing::Preprocessing;

use crate::layers::AnyLayer;
use crate::net::{BuildError, Builder, graph::Source};
use efficientnet::EfficientNet;
use resnet::Resnet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vgg::Vgg;

/// The architectures there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// ResNet-18: 11.7 million parameters. Stages `stem`, `layer1` to `layer4`.
    Resnet18,
    /// ResNet-34: 21.8 million parameters. Stages `stem`, `layer1` to `layer4`.
    Resnet34,
    /// ResNet-50: 25.6 million parameters. Stages `stem`, `layer1` to `layer4`.
    Resnet50,
    /// VGG-11: 132.9 million parameters, 9.2 without its classifier. Stages `features.0` to
    /// `features.20`.
    Vgg11,
    /// VGG-11 with batch norm. Stages `features.0` to `features.28`.
    Vgg11Bn,
    /// VGG-16: 138.4 million parameters, 14.7 without its classifier. Stages `features.0` to
    /// `features.30`.
    Vgg16,
    /// VGG-16 with batch norm. Stages `features.0` to `features.43`.
    Vgg16Bn,
    /// AlexNet: 61.1 million parameters, 2.5 without its classifier. Stages `features.0` to
    /// `features.12`.
    Alexnet,
    /// MobileNetV2: 3.5 million parameters. Stages `features.0` to `features.18`.
    MobilenetV2,
    /// EfficientNet-Lite0: 4.7 million parameters, made for small devices. Stages `stem`,
    /// `blocks.0` to `blocks.15`, `conv_head`.
    EfficientnetLite0,
    /// EfficientNet-B0: 5.3 million parameters. Stages `stem`, `blocks.0` to `blocks.15`,
    /// `conv_head`.
    EfficientnetB0,
    /// Inception v3 without its auxiliary classifier: 23.8 million parameters. Images of 75 pixels
    /// or more. Stages `stem`, `mixed_5b` to `mixed_5d`, `mixed_6a` to `mixed_6e`, `mixed_7a` to
    /// `mixed_7c`.
    InceptionV3,
}

impl Arch {
    /// All architectures.
    pub const ALL: [Arch; 12] = [
        Arch::Resnet18,
        Arch::Resnet34,
        Arch::Resnet50,
        Arch::Vgg11,
        Arch::Vgg11Bn,
        Arch::Vgg16,
        Arch::Vgg16Bn,
        Arch::Alexnet,
        Arch::MobilenetV2,
        Arch::EfficientnetLite0,
        Arch::EfficientnetB0,
        Arch::InceptionV3,
    ];

    /// The name, as YAML has it.
    pub fn name(self) -> &'static str {
        match self {
            Arch::Resnet18 => "resnet18",
            Arch::Resnet34 => "resnet34",
            Arch::Resnet50 => "resnet50",
            Arch::Vgg11 => "vgg11",
            Arch::Vgg11Bn => "vgg11_bn",
            Arch::Vgg16 => "vgg16",
            Arch::Vgg16Bn => "vgg16_bn",
            Arch::Alexnet => "alexnet",
            Arch::MobilenetV2 => "mobilenet_v2",
            Arch::EfficientnetLite0 => "efficientnet_lite0",
            Arch::EfficientnetB0 => "efficientnet_b0",
            Arch::InceptionV3 => "inception_v3",
        }
    }

    /// The architecture of this name.
    pub fn named(name: &str) -> Option<Arch> {
        Arch::ALL.into_iter().find(|arch| arch.name() == name)
    }

    /// Adds the stages of the backbone, without its classifier; gives its output.
    ///
    /// # Errors
    /// When the image is too small: the error names the first layer that it does not reach.
    pub fn build(self, net: &mut Builder) -> Result<Source, BuildError> {
        match self {
            Arch::Resnet18 => Resnet { blocks: [2, 2, 2, 2], bottleneck: false }.build(net),
            Arch::Resnet34 => Resnet { blocks: [3, 4, 6, 3], bottleneck: false }.build(net),
            Arch::Resnet50 => Resnet { blocks: [3, 4, 6, 3], bottleneck: true }.build(net),
            Arch::Vgg11 => Vgg { convolutions: [1, 1, 2, 2, 2], batch_norm: false }.build(net),
            Arch::Vgg11Bn => Vgg { convolutions: [1, 1, 2, 2, 2], batch_norm: true }.build(net),
            Arch::Vgg16 => Vgg { convolutions: [2, 2, 3, 3, 3], batch_norm: false }.build(net),
            Arch::Vgg16Bn => Vgg { convolutions: [2, 2, 3, 3, 3], batch_norm: true }.build(net),
            Arch::Alexnet => alexnet::build(net),
            Arch::MobilenetV2 => mobilenet_v2::build(net),
            Arch::EfficientnetLite0 => EfficientNet::Lite0.build(net),
            Arch::EfficientnetB0 => EfficientNet::B0.build(net),
            Arch::InceptionV3 => inception_v3::build(net),
        }
    }

    /// The classifier that the framework puts on this backbone.
    pub fn default_head(self, classes: usize) -> Vec<AnyLayer> {
        head::layers(self, classes)
    }

    /// How its pretrained weights want their images.
    pub fn preprocessing(self) -> Preprocessing {
        match self {
            Arch::EfficientnetLite0 => preprocessing::TENSORFLOW_LITE,
            Arch::InceptionV3 => preprocessing::INCEPTION,
            _ => preprocessing::IMAGENET,
        }
    }

    /// The side in pixels of the square images that its pretrained weights were made for.
    pub fn native_size(self) -> usize {
        if self == Arch::InceptionV3 { 299 } else { 224 }
    }
}
