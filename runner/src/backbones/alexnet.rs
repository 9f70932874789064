//! AlexNet (Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014),
//! as in torchvision.
//!
//! Stages: `features.0` to `features.12`, one an entry of torchvision's `features`.

use super::parts::{Built, numbered};
use crate::layers::{AnyLayer, Conv2d, MaxPool, Relu};
use crate::net::Builder;

pub(super) fn build(net: &mut Builder) -> Built {
    let features: Vec<AnyLayer> = vec![
        Conv2d::new(64, 11).stride(4).padding(2).into(),
        Relu {}.into(),
        MaxPool::new(3).stride(2).into(),
        Conv2d::new(192, 5).padding(2).into(),
        Relu {}.into(),
        MaxPool::new(3).stride(2).into(),
        Conv2d::new(384, 3).padding(1).into(),
        Relu {}.into(),
        Conv2d::new(256, 3).padding(1).into(),
        Relu {}.into(),
        Conv2d::new(256, 3).padding(1).into(),
        Relu {}.into(),
        MaxPool::new(3).stride(2).into(),
    ];
    numbered(net, "features", features)
}
