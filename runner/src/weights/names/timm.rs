//! Timm's names for nets of inverted-residual blocks: `conv_stem`, `blocks.STAGE.PLACE.conv_pw`, ...

use super::blocks::{Block, Part, canonical, number};
use crate::backbones::Arch;

/// Our name of a tensor.
pub fn rename(arch: Arch, name: &str) -> Option<String> {
    let (layer, tensor) = name.rsplit_once('.')?;
    let (block, part) = match layer {
        "conv_stem" => (Block::Stem, Part::Conv),
        "bn1" => (Block::Stem, Part::Bn),
        "conv_head" => (Block::Head, Part::Conv),
        "bn2" => (Block::Head, Part::Bn),
        _ => in_block(arch, layer)?,
    };
    canonical(arch, block, part, tensor)
}

fn in_block(arch: Arch, layer: &str) -> Option<(Block, Part)> {
    let mut words = layer.strip_prefix("blocks.")?.splitn(3, '.');
    let (stage, place) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let number = number(arch, stage, place)?;
    let layer = words.next()?;
    let part = if number == 0 { without_expansion(layer) } else { with_expansion(layer) };
    Some((Block::Number(number), part?))
}

/// `DepthwiseSeparableConv`: depthwise, squeeze, project.
fn without_expansion(layer: &str) -> Option<Part> {
    Some(match layer {
        "conv_dw" => Part::DepthwiseConv,
        "bn1" => Part::DepthwiseBn,
        "conv_pw" => Part::ProjectConv,
        "bn2" => Part::ProjectBn,
        _ => return squeeze(layer),
    })
}

/// `InvertedResidual`: expand, depthwise, squeeze, project.
fn with_expansion(layer: &str) -> Option<Part> {
    Some(match layer {
        "conv_pw" => Part::ExpandConv,
        "bn1" => Part::ExpandBn,
        "conv_dw" => Part::DepthwiseConv,
        "bn2" => Part::DepthwiseBn,
        "conv_pwl" => Part::ProjectConv,
        "bn3" => Part::ProjectBn,
        _ => return squeeze(layer),
    })
}

fn squeeze(layer: &str) -> Option<Part> {
    match layer {
        "se.conv_reduce" => Some(Part::SqueezeReduce),
        "se.conv_expand" => Some(Part::SqueezeExpand),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::rename;
    use crate::backbones::Arch::{EfficientnetB0, MobilenetV2};

    #[test]
    fn names_of_timm() {
        for (arch, theirs, ours) in [
            (EfficientnetB0, "conv_stem.weight", "stem.conv.weight"),
            (EfficientnetB0, "bn2.bias", "conv_head.bn.bias"),
            (EfficientnetB0, "blocks.0.0.conv_pw.weight", "blocks.0.project_conv.weight"),
            (EfficientnetB0, "blocks.0.0.se.conv_reduce.bias", "blocks.0.squeeze_excite.reduce.bias"),
            (EfficientnetB0, "blocks.1.0.conv_pw.weight", "blocks.1.expand_conv.weight"),
            (EfficientnetB0, "blocks.3.2.bn3.running_mean", "blocks.7.project_bn.running_mean"),
            (EfficientnetB0, "blocks.6.0.conv_pwl.weight", "blocks.15.project_conv.weight"),
            (MobilenetV2, "bn1.weight", "features.0.1.weight"),
            (MobilenetV2, "blocks.0.0.conv_dw.weight", "features.1.conv.0.0.weight"),
            (MobilenetV2, "blocks.0.0.bn2.bias", "features.1.conv.2.bias"),
            (MobilenetV2, "blocks.3.1.conv_dw.weight", "features.8.conv.1.0.weight"),
            (MobilenetV2, "blocks.6.0.bn3.weight", "features.17.conv.3.weight"),
            (MobilenetV2, "conv_head.weight", "features.18.0.weight"),
        ] {
            assert_eq!(rename(arch, theirs).as_deref(), Some(ours));
        }
        for none in
            ["classifier.weight", "blocks.0.1.conv_dw.weight", "blocks.7.0.conv_dw.weight", "blocks.1.0.fc.bias"]
        {
            assert_eq!(rename(EfficientnetB0, none), None, "{none}");
        }
        assert_eq!(rename(MobilenetV2, "blocks.1.0.se.conv_reduce.weight"), None);
    }
}
