//! Residual nets (He et al., "Deep residual learning for image recognition", CVPR 2016), as in
//! torchvision: the bottleneck has its stride on the 3x3 convolution ("v1.5").
//!
//! Stages: `stem`, `layer1` to `layer4`. Parameters have torchvision's names.

use super::parts::{Built, conv};
use crate::layers::{Add, BatchNorm, MaxPool, Relu};
use crate::net::{Builder, graph::Source};

/// What distinguishes the members of the family.
pub(super) struct Resnet {
    /// Blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Three convolutions (1x1, 3x3, 1x1) a block in place of two.
    pub bottleneck: bool,
}

/// Output channels of a bottleneck, as a multiple of its inner ones.
const EXPANSION: usize = 4;

impl Resnet {
    pub fn build(&self, net: &mut Builder) -> Built {
        net.stage("stem");
        let x = net.add("conv1", conv(64, 7).stride(2).padding(3), Source::Image)?;
        let x = net.add("bn1", BatchNorm::default(), x)?;
        let x = net.add("relu", Relu {}, x)?;
        let mut x = net.add("maxpool", MaxPool::new(3).stride(2).padding(1), x)?;
        for (i, &blocks) in self.blocks.iter().enumerate() {
            let stage = format!("layer{}", i + 1);
            net.stage(stage.clone());
            for block in 0..blocks {
                let stride = if i > 0 && block == 0 { 2 } else { 1 };
                x = self.block(net, &format!("{stage}.{block}"), x, 64 << i, stride)?;
            }
        }
        Ok(x)
    }

    fn block(&self, net: &mut Builder, name: &str, input: Source, width: usize, stride: usize) -> Built {
        let (out, convolutions) = if self.bottleneck {
            let inner = conv(width, 3).stride(stride).padding(1);
            (width * EXPANSION, vec![conv(width, 1), inner, conv(width * EXPANSION, 1)])
        } else {
            (width, vec![conv(width, 3).stride(stride).padding(1), conv(width, 3).padding(1)])
        };
        let last = convolutions.len();
        let mut x = input;
        for (conv, i) in convolutions.into_iter().zip(1..) {
            x = net.add(format!("{name}.conv{i}"), conv, x)?;
            x = net.add(format!("{name}.bn{i}"), BatchNorm::default(), x)?;
            if i < last {
                x = net.add(format!("{name}.relu{i}"), Relu {}, x)?;
            }
        }
        let shortcut = if stride != 1 || net.shape(input).channels() != out {
            let projected = net.add(format!("{name}.downsample.0"), conv(out, 1).stride(stride), input)?;
            net.add(format!("{name}.downsample.1"), BatchNorm::default(), projected)?
        } else {
            input
        };
        let sum = net.join(format!("{name}.add"), Add::default(), &[x, shortcut])?;
        net.add(format!("{name}.relu{last}"), Relu {}, sum)
    }
}
