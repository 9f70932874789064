//! MobileNetV2 (Sandler et al., "MobileNetV2: Inverted residuals and linear bottlenecks", CVPR
//! 2018), as in torchvision, width 1.
//!
//! Stages: `features.0` to `features.18`, one an entry of torchvision's `features`: the stem, 17
//! inverted residual blocks, the last 1x1 convolution.

use super::parts::{Built, conv};
use crate::layers::{Add, BatchNorm, Conv2d, Relu6};
use crate::net::{Builder, graph::Source};

/// A run of inverted residual blocks.
struct Run {
    /// Channels inside a block, as a multiple of its input's.
    expansion: usize,
    /// Output channels.
    out: usize,
    /// How many blocks.
    blocks: usize,
    /// Stride of the first block.
    stride: usize,
}

const RUNS: [Run; 7] = [
    Run { expansion: 1, out: 16, blocks: 1, stride: 1 },
    Run { expansion: 6, out: 24, blocks: 2, stride: 2 },
    Run { expansion: 6, out: 32, blocks: 3, stride: 2 },
    Run { expansion: 6, out: 64, blocks: 4, stride: 2 },
    Run { expansion: 6, out: 96, blocks: 3, stride: 1 },
    Run { expansion: 6, out: 160, blocks: 3, stride: 2 },
    Run { expansion: 6, out: 320, blocks: 1, stride: 1 },
];

pub(super) fn build(net: &mut Builder) -> Built {
    net.stage("features.0");
    let mut x = conv_norm_relu6(net, "features.0", conv(32, 3).stride(2).padding(1), Source::Image)?;
    let mut number = 1;
    for run in &RUNS {
        for block in 0..run.blocks {
            let stride = if block == 0 { run.stride } else { 1 };
            let name = format!("features.{number}");
            net.stage(name.clone());
            x = inverted_residual(net, &name, x, run, stride)?;
            number += 1;
        }
    }
    let name = format!("features.{number}");
    net.stage(name.clone());
    conv_norm_relu6(net, &name, conv(1280, 1), x)
}

fn inverted_residual(net: &mut Builder, name: &str, input: Source, run: &Run, stride: usize) -> Built {
    let channels = net.shape(input).channels();
    let inner = channels * run.expansion;
    let mut x = input;
    let mut part = 0;
    if run.expansion != 1 {
        x = conv_norm_relu6(net, &format!("{name}.conv.{part}"), conv(inner, 1), x)?;
        part += 1;
    }
    let depthwise = conv(inner, 3).stride(stride).padding(1).depthwise();
    x = conv_norm_relu6(net, &format!("{name}.conv.{part}"), depthwise, x)?;
    x = net.add(format!("{name}.conv.{}", part + 1), conv(run.out, 1), x)?;
    x = net.add(format!("{name}.conv.{}", part + 2), BatchNorm::default(), x)?;
    if stride == 1 && channels == run.out {
        net.join(format!("{name}.add"), Add::default(), &[x, input])
    } else {
        Ok(x)
    }
}

/// torchvision's `Conv2dNormActivation`.
fn conv_norm_relu6(net: &mut Builder, name: &str, conv: Conv2d, input: Source) -> Built {
    let x = net.add(format!("{name}.0"), conv, input)?;
    let x = net.add(format!("{name}.1"), BatchNorm::default(), x)?;
    net.add(format!("{name}.2"), Relu6 {}, x)
}
