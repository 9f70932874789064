//! Inception v3 (Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR
//! 2016), as in torchvision, without the auxiliary classifier.
//!
//! Stages: `stem` (all before the first mixed block), `mixed_5b`, `mixed_5c`, `mixed_5d`,
//! `mixed_6a` to `mixed_6e`, `mixed_7a` to `mixed_7c`. Parameters have torchvision's names, in
//! capitals as there: `Mixed_5b.branch1x1.conv.weight`.

use super::parts::{Built, conv};
use crate::layers::{AvgPool, BatchNorm, Concat, Conv2d, MaxPool, Relu};
use crate::net::{BuildError, Builder, graph::Source};
use crate::spec::size::Size;

pub(super) fn build(net: &mut Builder) -> Built {
    let mut x = stem(net)?;
    for (letter, pool) in [('b', 32), ('c', 64), ('d', 64)] {
        x = Mixed::begin(net, '5', letter, x).square(pool)?;
    }
    x = Mixed::begin(net, '6', 'a', x).reduce_to_17()?;
    for (letter, inner) in [('b', 128), ('c', 160), ('d', 160), ('e', 192)] {
        x = Mixed::begin(net, '6', letter, x).factorized(inner)?;
    }
    x = Mixed::begin(net, '7', 'a', x).reduce_to_8()?;
    for letter in ['b', 'c'] {
        x = Mixed::begin(net, '7', letter, x).expanded()?;
    }
    Ok(x)
}

fn stem(net: &mut Builder) -> Built {
    net.stage("stem");
    let x = basic_conv(net, "Conv2d_1a_3x3", conv(32, 3).stride(2), Source::Image)?;
    let x = basic_conv(net, "Conv2d_2a_3x3", conv(32, 3), x)?;
    let x = basic_conv(net, "Conv2d_2b_3x3", conv(64, 3).padding(1), x)?;
    let x = net.add("maxpool1", MaxPool::new(3).stride(2), x)?;
    let x = basic_conv(net, "Conv2d_3b_1x1", conv(80, 1), x)?;
    let x = basic_conv(net, "Conv2d_4a_3x3", conv(192, 3), x)?;
    net.add("maxpool2", MaxPool::new(3).stride(2), x)
}

/// torchvision's `BasicConv2d`.
fn basic_conv(net: &mut Builder, name: &str, conv: Conv2d, input: Source) -> Built {
    let x = net.add(format!("{name}.conv"), conv, input)?;
    let x = net.add(format!("{name}.bn"), BatchNorm::with_eps(1e-3), x)?;
    net.add(format!("{name}.relu"), Relu {}, x)
}

/// A mixed block under construction: branches over one input, joined at the end.
struct Mixed<'a> {
    net: &'a mut Builder,
    name: String,
    input: Source,
    outputs: Vec<Source>,
}

impl<'a> Mixed<'a> {
    fn begin(net: &'a mut Builder, size: char, letter: char, input: Source) -> Self {
        net.stage(format!("mixed_{size}{letter}"));
        Mixed { net, name: format!("Mixed_{size}{letter}"), input, outputs: Vec::new() }
    }

    /// Convolutions one after the other, the first over `from`.
    fn chain(&mut self, from: Source, convolutions: &[(&str, Conv2d)]) -> Built {
        let mut x = from;
        for (name, conv) in convolutions {
            x = basic_conv(self.net, &format!("{}.{name}", self.name), conv.clone(), x)?;
        }
        Ok(x)
    }

    /// A branch of the output: convolutions over the block's input.
    fn branch(&mut self, convolutions: &[(&str, Conv2d)]) -> Result<(), BuildError> {
        let x = self.chain(self.input, convolutions)?;
        self.outputs.push(x);
        Ok(())
    }

    /// A branch that ends in two convolutions side by side, 1x3 and 3x1.
    fn forked(&mut self, convolutions: &[(&str, Conv2d)], ends: [&str; 2]) -> Result<(), BuildError> {
        let x = self.chain(self.input, convolutions)?;
        for (name, conv) in ends.into_iter().zip([wide(384, 3), tall(384, 3)]) {
            let end = self.chain(x, &[(name, conv)])?;
            self.outputs.push(end);
        }
        Ok(())
    }

    /// A branch that averages each 3x3 window, then a 1x1 convolution.
    fn pooled(&mut self, out: usize) -> Result<(), BuildError> {
        let pooled =
            self.net.add(format!("{}.avg_pool", self.name), AvgPool::new(3).stride(1).padding(1), self.input)?;
        let x = self.chain(pooled, &[("branch_pool", conv(out, 1))])?;
        self.outputs.push(x);
        Ok(())
    }

    /// A branch that takes the largest of each 3x3 window and halves the size.
    fn max_pooled(&mut self) -> Result<(), BuildError> {
        let x = self.net.add(format!("{}.max_pool", self.name), MaxPool::new(3).stride(2), self.input)?;
        self.outputs.push(x);
        Ok(())
    }

    fn concat(self) -> Built {
        self.net.join(format!("{}.concat", self.name), Concat::default(), &self.outputs)
    }

    /// torchvision's `InceptionA`.
    fn square(mut self, pool: usize) -> Built {
        self.branch(&[("branch1x1", conv(64, 1))])?;
        self.branch(&[("branch5x5_1", conv(48, 1)), ("branch5x5_2", conv(64, 5).padding(2))])?;
        self.branch(&[
            ("branch3x3dbl_1", conv(64, 1)),
            ("branch3x3dbl_2", conv(96, 3).padding(1)),
            ("branch3x3dbl_3", conv(96, 3).padding(1)),
        ])?;
        self.pooled(pool)?;
        self.concat()
    }

    /// torchvision's `InceptionB`: from 35x35 to 17x17 at the native size.
    fn reduce_to_17(mut self) -> Built {
        self.branch(&[("branch3x3", conv(384, 3).stride(2))])?;
        self.branch(&[
            ("branch3x3dbl_1", conv(64, 1)),
            ("branch3x3dbl_2", conv(96, 3).padding(1)),
            ("branch3x3dbl_3", conv(96, 3).stride(2)),
        ])?;
        self.max_pooled()?;
        self.concat()
    }

    /// torchvision's `InceptionC`: 7x7 convolutions in two factors.
    fn factorized(mut self, inner: usize) -> Built {
        self.branch(&[("branch1x1", conv(192, 1))])?;
        self.branch(&[
            ("branch7x7_1", conv(inner, 1)),
            ("branch7x7_2", wide(inner, 7)),
            ("branch7x7_3", tall(192, 7)),
        ])?;
        self.branch(&[
            ("branch7x7dbl_1", conv(inner, 1)),
            ("branch7x7dbl_2", tall(inner, 7)),
            ("branch7x7dbl_3", wide(inner, 7)),
            ("branch7x7dbl_4", tall(inner, 7)),
            ("branch7x7dbl_5", wide(192, 7)),
        ])?;
        self.pooled(192)?;
        self.concat()
    }

    /// torchvision's `InceptionD`: from 17x17 to 8x8 at the native size.
    fn reduce_to_8(mut self) -> Built {
        self.branch(&[("branch3x3_1", conv(192, 1)), ("branch3x3_2", conv(320, 3).stride(2))])?;
        self.branch(&[
            ("branch7x7x3_1", conv(192, 1)),
            ("branch7x7x3_2", wide(192, 7)),
            ("branch7x7x3_3", tall(192, 7)),
            ("branch7x7x3_4", conv(192, 3).stride(2)),
        ])?;
        self.max_pooled()?;
        self.concat()
    }

    /// torchvision's `InceptionE`.
    fn expanded(mut self) -> Built {
        self.branch(&[("branch1x1", conv(320, 1))])?;
        self.forked(&[("branch3x3_1", conv(384, 1))], ["branch3x3_2a", "branch3x3_2b"])?;
        self.forked(
            &[("branch3x3dbl_1", conv(448, 1)), ("branch3x3dbl_2", conv(384, 3).padding(1))],
            ["branch3x3dbl_3a", "branch3x3dbl_3b"],
        )?;
        self.pooled(192)?;
        self.concat()
    }
}

/// A convolution over one row of `kernel` pixels that keeps the size.
fn wide(out: usize, kernel: usize) -> Conv2d {
    conv(out, Size([1, kernel])).padding([0, kernel / 2])
}

/// A convolution over one column of `kernel` pixels that keeps the size.
fn tall(out: usize, kernel: usize) -> Conv2d {
    conv(out, Size([kernel, 1])).padding([kernel / 2, 0])
}
