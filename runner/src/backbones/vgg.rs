//! VGG nets (Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
//! recognition", ICLR 2015), as in torchvision.
//!
//! Stages: `features.0` to `features.N`, one an entry of torchvision's `features`, activations and
//! pools included: a range such as `features.0-12` means what the same slice means there.

use super::parts::{Built, numbered};
use crate::layers::{AnyLayer, BatchNorm, Conv2d, MaxPool, Relu};
use crate::net::Builder;

/// What distinguishes the members of the family.
pub(super) struct Vgg {
    /// 3x3 convolutions in each of the five runs; a pool follows each run.
    pub convolutions: [usize; 5],
    /// Batch norm after each convolution.
    pub batch_norm: bool,
}

/// Channels of each run.
const WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];

impl Vgg {
    pub fn build(&self, net: &mut Builder) -> Built {
        numbered(net, "features", self.features())
    }

    fn features(&self) -> Vec<AnyLayer> {
        let mut features = Vec::new();
        for (&convolutions, width) in self.convolutions.iter().zip(WIDTHS) {
            for _ in 0..convolutions {
                features.push(Conv2d::new(width, 3).padding(1).into());
                if self.batch_norm {
                    features.push(BatchNorm::default().into());
                }
                features.push(Relu {}.into());
            }
            features.push(MaxPool::new(2).into());
        }
        features
    }
}
