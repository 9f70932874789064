//! Small nets for the plan's tests.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use crate::layers::{BatchNorm, Conv2d, Flatten, Linear, Pad, Relu, Shape};
use crate::net::{Builder, Graph, Source};
use crate::spec::{Draft, Problems, Schedule};

/// A chain over 8x8x4: each stage is a 3x3 convolution (`STAGE.conv.weight`), a batch norm
/// (`STAGE.bn`: weight, bias, running mean and variance) and a `ReLU`, all giving 8x8x4; the stage
/// `head` is a flatten and a linear map (`head.linear.weight`, `head.linear.bias`) to two outputs.
pub fn net(stages: &[&str]) -> Graph {
    let mut net = Builder::new(Shape::Image { height: 8, width: 8, channels: 4 });
    let mut at = Source::Image;
    for &stage in stages {
        net.stage(stage);
        if stage == "head" {
            at = net.add("head.flatten", Flatten {}, at).unwrap();
            at = net.add("head.linear", Linear::new(2), at).unwrap();
        } else {
            let conv = Conv2d::new(4, 3).padding(Pad::Same).without_bias();
            at = net.add(format!("{stage}.conv"), conv, at).unwrap();
            at = net.add(format!("{stage}.bn"), BatchNorm::default(), at).unwrap();
            at = net.add(format!("{stage}.relu"), Relu {}, at).unwrap();
        }
    }
    net.finish()
}

/// Reads YAML as a spec is read: variants with arguments are maps of one key.
pub fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> T {
    let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
    serde_json::from_value(value).unwrap()
}

/// The phases that are written out in a schedule, their names not looked up.
pub fn drafts(schedule: &Schedule) -> Vec<Draft> {
    schedule.drafts(&[], &mut Problems::default())
}
