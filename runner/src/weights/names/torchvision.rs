//! Torchvision's names for `EfficientNets`: `features.STAGE.PLACE.block.STEP`, stages from 1.

use super::blocks::{Block, Part, canonical, number, stages};
use crate::backbones::Arch;

/// Our name of a tensor.
pub fn rename(arch: Arch, name: &str) -> Option<String> {
    let (layer, tensor) = name.strip_prefix("features.")?.rsplit_once('.')?;
    let (stage, rest) = layer.split_once('.')?;
    let stage: usize = stage.parse().ok()?;
    let (block, part) = match (stage, rest) {
        (0, "0") => (Block::Stem, Part::Conv),
        (0, "1") => (Block::Stem, Part::Bn),
        (stage, "0") if stage == stages(arch).len() + 1 => (Block::Head, Part::Conv),
        (stage, "1") if stage == stages(arch).len() + 1 => (Block::Head, Part::Bn),
        _ => {
            let (place, step) = rest.split_once(".block.")?;
            let number = number(arch, stage.checked_sub(1)?, place.parse().ok()?)?;
            (Block::Number(number), part(number == 0, step)?)
        }
    };
    canonical(arch, block, part, tensor)
}

/// Steps are counted: expand (not in the first block), depthwise, squeeze-excite, project.
fn part(first_block: bool, step: &str) -> Option<Part> {
    let (step, layer) = step.split_once('.')?;
    let step = step.parse::<usize>().ok()?.checked_add(usize::from(first_block))?;
    Some(match (step, layer) {
        (2, "fc1") => Part::SqueezeReduce,
        (2, "fc2") => Part::SqueezeExpand,
        (0 | 1 | 3, "0" | "1") => {
            let pair = [Part::EXPAND, Part::DEPTHWISE, Part::PROJECT][step.min(2)];
            pair[usize::from(layer == "1")]
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::rename;
    use crate::backbones::Arch::EfficientnetB0;

    #[test]
    fn names_of_torchvision() {
        for (theirs, ours) in [
            ("features.0.0.weight", "stem.conv.weight"),
            ("features.0.1.running_var", "stem.bn.running_var"),
            ("features.1.0.block.0.0.weight", "blocks.0.depthwise_conv.weight"),
            ("features.1.0.block.1.fc1.bias", "blocks.0.squeeze_excite.reduce.bias"),
            ("features.1.0.block.2.1.bias", "blocks.0.project_bn.bias"),
            ("features.2.1.block.0.0.weight", "blocks.2.expand_conv.weight"),
            ("features.2.1.block.1.1.weight", "blocks.2.depthwise_bn.weight"),
            ("features.6.3.block.2.fc2.weight", "blocks.14.squeeze_excite.expand.weight"),
            ("features.7.0.block.3.0.weight", "blocks.15.project_conv.weight"),
            ("features.8.0.weight", "conv_head.conv.weight"),
        ] {
            assert_eq!(rename(EfficientnetB0, theirs).as_deref(), Some(ours));
        }
        for none in [
            "classifier.1.weight",
            "features.1.0.block.3.0.weight",
            "features.2.0.block.4.0.weight",
            "features.2.2.block.0.0.weight",
            "features.9.0.weight",
            "features.1.0.block.99999999999999999999.0.weight",
        ] {
            assert_eq!(rename(EfficientnetB0, none), None, "{none}");
        }
    }
}
