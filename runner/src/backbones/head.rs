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
