//! Inverted-residual blocks (`mobilenet_v2`, `efficientnet_*`), the part of a net on which
//! frameworks' names differ.

use crate::backbones::Arch;

/// A place in a net of inverted-residual blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// The first convolution, which makes features of the image.
    Stem,
    /// A block, counted from 0 over the whole net.
    Number(usize),
    /// The convolution after the last block.
    Head,
}

/// A layer of a block, stem or head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Part {
    Conv,
    Bn,
    ExpandConv,
    ExpandBn,
    DepthwiseConv,
    DepthwiseBn,
    SqueezeReduce,
    SqueezeExpand,
    ProjectConv,
    ProjectBn,
}

impl Part {
    /// Convolution, then batch norm, of a block's three steps.
    pub const EXPAND: [Part; 2] = [Part::ExpandConv, Part::ExpandBn];
    /// See [`Part::EXPAND`].
    pub const DEPTHWISE: [Part; 2] = [Part::DepthwiseConv, Part::DepthwiseBn];
    /// See [`Part::EXPAND`].
    pub const PROJECT: [Part; 2] = [Part::ProjectConv, Part::ProjectBn];
}

/// How many blocks each stage has, in the frameworks that count by stage.
pub fn stages(arch: Arch) -> &'static [usize] {
    match arch {
        Arch::MobilenetV2 => &[1, 2, 3, 4, 3, 3, 1],
        Arch::EfficientnetLite0 | Arch::EfficientnetB0 => &[1, 2, 2, 3, 3, 4, 1],
        _ => &[],
    }
}

/// A block's number over the whole net, from its stage and its place therein.
pub fn number(arch: Arch, stage: usize, place: usize) -> Option<usize> {
    let stages = stages(arch);
    let count = *stages.get(stage)?;
    (place < count).then(|| stages.iter().take(stage).sum::<usize>() + place)
}

/// Our name of a tensor: `tensor` is `weight`, `bias`, `running_mean` or `running_var`.
pub fn canonical(arch: Arch, block: Block, part: Part, tensor: &str) -> Option<String> {
    if matches!(block, Block::Number(number) if number >= stages(arch).iter().sum()) {
        return None;
    }
    let layer = match arch {
        Arch::MobilenetV2 => torchvision_mobilenet(block, part)?,
        _ => efficientnet(block, part)?,
    };
    Some(format!("{layer}.{tensor}"))
}

fn efficientnet(block: Block, part: Part) -> Option<String> {
    let layer = match part {
        Part::Conv => "conv",
        Part::Bn => "bn",
        Part::ExpandConv => "expand_conv",
        Part::ExpandBn => "expand_bn",
        Part::DepthwiseConv => "depthwise_conv",
        Part::DepthwiseBn => "depthwise_bn",
        Part::SqueezeReduce => "squeeze_excite.reduce",
        Part::SqueezeExpand => "squeeze_excite.expand",
        Part::ProjectConv => "project_conv",
        Part::ProjectBn => "project_bn",
    };
    let own = matches!(part, Part::Conv | Part::Bn);
    match block {
        Block::Stem if own => Some(format!("stem.{layer}")),
        Block::Head if own => Some(format!("conv_head.{layer}")),
        Block::Number(number) if !own => Some(format!("blocks.{number}.{layer}")),
        _ => None,
    }
}

/// Torchvision's `MobileNetV2`: the first block has no expansion, so its layers have other places.
#[allow(clippy::match_same_arms)] // One block after the other reads better.
fn torchvision_mobilenet(block: Block, part: Part) -> Option<String> {
    let place = match (block, part) {
        (Block::Stem | Block::Head, Part::Conv) => "0",
        (Block::Stem | Block::Head, Part::Bn) => "1",
        (Block::Number(0), Part::DepthwiseConv) => "conv.0.0",
        (Block::Number(0), Part::DepthwiseBn) => "conv.0.1",
        (Block::Number(0), Part::ProjectConv) => "conv.1",
        (Block::Number(0), Part::ProjectBn) => "conv.2",
        (Block::Number(1..), Part::ExpandConv) => "conv.0.0",
        (Block::Number(1..), Part::ExpandBn) => "conv.0.1",
        (Block::Number(1..), Part::DepthwiseConv) => "conv.1.0",
        (Block::Number(1..), Part::DepthwiseBn) => "conv.1.1",
        (Block::Number(1..), Part::ProjectConv) => "conv.2",
        (Block::Number(1..), Part::ProjectBn) => "conv.3",
        _ => return None,
    };
    let feature = match block {
        Block::Stem => 0,
        Block::Number(number) => number + 1,
        Block::Head => stages(Arch::MobilenetV2).iter().sum::<usize>() + 1,
    };
    Some(format!("features.{feature}.{place}"))
}
