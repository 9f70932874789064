//! `EfficientNets` (Tan and Le, "EfficientNet: Rethinking model scaling for convolutional neural
//! networks", ICML 2019) and their Lite form (Liu, "Higher accuracy on vision models with
//! EfficientNet-Lite", TensorFlow blog 2020).
//!
//! Stages: `stem`, `blocks.0` to `blocks.15`, `conv_head`. Frameworks name the parameters in many
//! ways, so names of our own are the canonical ones: `blocks.3.expand_conv.weight`,
//! `blocks.3.expand_bn.bias`, `blocks.3.squeeze_excite.reduce.weight`, ...

use super::parts::{Built, conv};
use crate::layers::{
    Add, AnyLayer, BatchNorm, Conv2d, Pad, Relu6, Silu, SqueezeActivation, SqueezeExcite, StochasticDepth,
};
use crate::net::{Builder, graph::Source};

/// What distinguishes the members of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EfficientNet {
    /// torchvision's B0: `SiLU`, squeeze-and-excitation, stochastic depth, symmetric padding.
    B0,
    /// TensorFlow's Lite0: `ReLU6`, no squeeze-and-excitation, 'SAME' padding. Its blocks draw
    /// nothing at random, so that a frozen part of it gives each image the same features always.
    Lite0,
}

/// A run of `MBConv` blocks.
struct Run {
    /// Channels inside a block, as a multiple of its input's.
    expansion: usize,
    /// Size of the depthwise window.
    kernel: usize,
    /// Stride of the first block.
    stride: usize,
    /// Output channels.
    out: usize,
    /// How many blocks.
    blocks: usize,
}

const RUNS: [Run; 7] = [
    Run { expansion: 1, kernel: 3, stride: 1, out: 16, blocks: 1 },
    Run { expansion: 6, kernel: 3, stride: 2, out: 24, blocks: 2 },
    Run { expansion: 6, kernel: 5, stride: 2, out: 40, blocks: 2 },
    Run { expansion: 6, kernel: 3, stride: 2, out: 80, blocks: 3 },
    Run { expansion: 6, kernel: 5, stride: 1, out: 112, blocks: 3 },
    Run { expansion: 6, kernel: 5, stride: 2, out: 192, blocks: 4 },
    Run { expansion: 6, kernel: 3, stride: 1, out: 320, blocks: 1 },
];

/// Blocks in all.
const BLOCKS: usize = 16;

/// The chance that the last block's residual branch would be dropped; the first block's is 0 and
/// it grows evenly between (Huang et al., "Deep networks with stochastic depth", ECCV 2016).
const STOCHASTIC_DEPTH: f64 = 0.2;

impl EfficientNet {
    pub fn build(self, net: &mut Builder) -> Built {
        net.stage("stem");
        let first = self.pad(conv(32, 3).stride(2), 3);
        let mut x = self.conv_norm(net, ["stem.conv", "stem.bn"], first, Source::Image)?;
        x = net.add("stem.activation", self.activation(), x)?;
        let mut number = 0;
        for run in &RUNS {
            for block in 0..run.blocks {
                let stride = if block == 0 { run.stride } else { 1 };
                net.stage(format!("blocks.{number}"));
                x = self.block(net, number, x, run, stride)?;
                number += 1;
            }
        }
        net.stage("conv_head");
        x = self.conv_norm(net, ["conv_head.conv", "conv_head.bn"], conv(1280, 1), x)?;
        net.add("conv_head.activation", self.activation(), x)
    }

    /// A mobile inverted bottleneck.
    fn block(self, net: &mut Builder, number: usize, input: Source, run: &Run, stride: usize) -> Built {
        let name = |part: &str| format!("blocks.{number}.{part}");
        let channels = net.shape(input).channels();
        let inner = channels * run.expansion;
        let mut x = input;
        if run.expansion != 1 {
            x = self.conv_norm(net, [&name("expand_conv"), &name("expand_bn")], conv(inner, 1), x)?;
            x = net.add(name("expand_activation"), self.activation(), x)?;
        }
        let depthwise = self.pad(conv(inner, run.kernel).stride(stride).depthwise(), run.kernel);
        x = self.conv_norm(net, [&name("depthwise_conv"), &name("depthwise_bn")], depthwise, x)?;
        x = net.add(name("depthwise_activation"), self.activation(), x)?;
        if self == EfficientNet::B0 {
            x = net.add(
                name("squeeze_excite"),
                SqueezeExcite::new(channels / 4).activation(SqueezeActivation::Silu),
                x,
            )?;
        }
        x = self.conv_norm(net, [&name("project_conv"), &name("project_bn")], conv(run.out, 1), x)?;
        if stride != 1 || channels != run.out {
            return Ok(x);
        }
        if self == EfficientNet::B0 {
            let drop = STOCHASTIC_DEPTH * number as f64 / BLOCKS as f64;
            x = net.add(name("stochastic_depth"), StochasticDepth(drop), x)?;
        }
        net.join(name("add"), Add::default(), &[x, input])
    }

    fn conv_norm(self, net: &mut Builder, names: [&str; 2], conv: Conv2d, input: Source) -> Built {
        let x = net.add(names[0], conv, input)?;
        net.add(names[1], self.batch_norm(), x)
    }

    fn pad(self, conv: Conv2d, kernel: usize) -> Conv2d {
        match self {
            EfficientNet::B0 => conv.padding((kernel - 1) / 2),
            EfficientNet::Lite0 => conv.padding(Pad::Same),
        }
    }

    fn batch_norm(self) -> BatchNorm {
        match self {
            EfficientNet::B0 => BatchNorm::default(),
            // TensorFlow's, whose momentum of 0.99 is torch's 0.01.
            EfficientNet::Lite0 => BatchNorm { eps: 1e-3, momentum: 0.01 },
        }
    }

    fn activation(self) -> AnyLayer {
        match self {
            EfficientNet::B0 => Silu {}.into(),
            EfficientNet::Lite0 => Relu6 {}.into(),
        }
    }
}
