//! The classifiers that frameworks put on the backbones.

use super::Arch;
use crate::layers::{AdaptiveAvgPool, AnyLayer, Dropout, Flatten, GlobalAvgPool, Linear, Relu};

/// Features of the two hidden layers of VGG and AlexNet.
const HIDDEN: usize = 4096;

/// The classifier of an architecture.
pub(super) fn layers(arch: Arch, classes: usize) -> Vec<AnyLayer> {
    match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 => {
            vec![GlobalAvgPool {}.into(), Linear::new(classes).into()]
        }
        Arch::MobilenetV2 | Arch::EfficientnetLite0 | Arch::EfficientnetB0 => {
            vec![GlobalAvgPool {}.into(), Dropout(0.2).into(), Linear::new(classes).into()]
        }
        Arch::InceptionV3 => vec![GlobalAvgPool {}.into(), Dropout(0.5).into(), Linear::new(classes).into()],
        Arch::Vgg11 | Arch::Vgg11Bn | Arch::Vgg16 | Arch::Vgg16Bn => vec![
            AdaptiveAvgPool::new(7).into(),
            Flatten {}.into(),
            Linear::new(HIDDEN).into(),
            Relu {}.into(),
            Dropout(0.5).into(),
            Linear::new(HIDDEN).into(),
            Relu {}.into(),
            Dropout(0.5).into(),
            Linear::new(classes).into(),
        ],
        Arch::Alexnet => vec![
            AdaptiveAvgPool::new(6).into(),
            Flatten {}.into(),
            Dropout(0.5).into(),
            Linear::new(HIDDEN).into(),
            Relu {}.into(),
            Dropout(0.5).into(),
            Linear::new(HIDDEN).into(),
            Relu {}.into(),
            Linear::new(classes).into(),
        ],
    }
}

/// The frameworks' names of the classifier's tensors, each with the name here.
pub(super) fn names(arch: Arch) -> Vec<(String, String)> {
    let linears = layers(arch, 1)
        .iter()
        .enumerate()
        .filter(|(_, layer)| matches!(layer, AnyLayer::Linear(_)))
        .map(|(i, _)| i)
        .collect::<Vec<_>>();
    let mut names = Vec::new();
    for prefixes in prefixes(arch) {
        for (prefix, linear) in prefixes.iter().zip(&linears) {
            for part in ["weight", "bias"] {
                names.push((format!("{prefix}.{part}"), format!("head.{linear}.{part}")));
            }
        }
    }
    names
}

/// What each framework calls the linear layers of the classifier, in order.
fn prefixes(arch: Arch) -> &'static [&'static [&'static str]] {
    match arch {
        // torchvision and timm agree.
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 | Arch::InceptionV3 => &[&["fc"]],
        // torchvision; timm turns the first two into convolutions of its own.
        Arch::Vgg11 | Arch::Vgg11Bn | Arch::Vgg16 | Arch::Vgg16Bn => {
            &[&["classifier.0", "classifier.3", "classifier.6"]]
        }
        Arch::Alexnet => &[&["classifier.1", "classifier.4", "classifier.6"]],
        // torchvision; timm.
        Arch::MobilenetV2 => &[&["classifier.1"], &["classifier"]],
        // torchvision (B0 only); timm; the packages that follow TensorFlow.
        Arch::EfficientnetLite0 | Arch::EfficientnetB0 => &[&["classifier.1"], &["classifier"], &["_fc"]],
    }
}
