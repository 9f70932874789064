//! Name maps: what other frameworks call our parameters.
//!
//! Our own names are torchvision's, but for `efficientnet_*`, whose torchvision names say little:
//! `stem.conv`, `blocks.3.expand_conv`, `blocks.3.depthwise_bn`, `conv_head.bn`, ... The classifier is
//! `head.N` in every net.

mod blocks;
mod efficientnet_pytorch;
mod timm;
mod torchvision;

pub use blocks::{Block, Part};

use crate::backbones::Arch;

/// How a framework names the tensors of one architecture.
#[derive(Debug, Clone, Copy)]
pub struct NameMap {
    /// Whose names they are, as a person reads it: `timm names`.
    pub label: &'static str,
    /// The linear layers of the framework's classifier, in order. They are held against those of the
    /// stage `head`.
    pub classifier: &'static [&'static str],
    rename: fn(Arch, &str) -> Option<String>,
    arch: Option<Arch>,
}

impl NameMap {
    /// Our name of a tensor of the backbone; `None` where it is none of that.
    pub fn rename(&self, name: &str) -> Option<String> {
        match self.arch {
            Some(arch) => (self.rename)(arch, name),
            None => Some(name.to_owned()),
        }
    }
}

/// The name maps that may fit a weight file for `arch`. Of two that fit as well the first is taken.
pub fn maps(arch: Option<Arch>) -> Vec<NameMap> {
    let map = |label, classifier, rename| NameMap { label, classifier, rename, arch };
    let own = map("runner's names", &[], same);
    let Some(arch) = arch else { return vec![own] };
    match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 | Arch::InceptionV3 => {
            vec![map("torchvision's names", &["fc"], same)]
        }
        Arch::Alexnet => {
            vec![map("torchvision's names", &["classifier.1", "classifier.4", "classifier.6"], same)]
        }
        Arch::Vgg11 | Arch::Vgg11Bn | Arch::Vgg16 | Arch::Vgg16Bn => vec![
            map("torchvision's names", &["classifier.0", "classifier.3", "classifier.6"], same),
            map("timm's names", &["pre_logits.fc1", "pre_logits.fc2", "head.fc"], same),
        ],
        Arch::MobilenetV2 => vec![
            map("torchvision's names", &["classifier.1"], same),
            map("timm's names", &["classifier"], timm::rename),
        ],
        Arch::EfficientnetLite0 | Arch::EfficientnetB0 => vec![
            own,
            map("EfficientNet-PyTorch's names", &["_fc"], efficientnet_pytorch::rename),
            map("torchvision's names", &["classifier.1"], torchvision::rename),
            map("timm's names", &["classifier"], timm::rename),
        ],
    }
}

/// Where the framework's names are ours. Its classifier is dealt with apart.
#[allow(clippy::unnecessary_wraps)] // One of several maps.
fn same(_: Arch, name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

    /// Names of layers with those of their tensors: norms have four, squeezes two, convolutions one.
    fn tensors(layers: &[String]) -> Vec<String> {
        let parts = |layer: &String| -> &[&str] {
            let last = layer.rsplit('.').next().unwrap_or_default();
            match last {
                "reduce" | "expand" | "conv_reduce" | "conv_expand" | "fc1" | "fc2" => &NORM[..2],
                _ if last.contains("bn") || last == "1" => &NORM,
                _ => &NORM[..1],
            }
        };
        layers.iter().flat_map(|layer| parts(layer).iter().map(move |part| format!("{layer}.{part}"))).collect()
    }

    /// Our names of an EfficientNet's layers.
    fn ours(squeeze: bool) -> BTreeSet<String> {
        let mut layers: Vec<String> =
            ["stem.conv", "stem.bn", "conv_head.conv", "conv_head.bn"].map(String::from).into();
        for block in 0..16 {
            let mut parts = vec!["depthwise_conv", "depthwise_bn", "project_conv", "project_bn"];
            if block > 0 {
                parts.extend(["expand_conv", "expand_bn"]);
            }
            if squeeze {
                parts.extend(["squeeze_excite.reduce", "squeeze_excite.expand"]);
            }
            layers.extend(parts.iter().map(|part| format!("blocks.{block}.{part}")));
        }
        tensors(&layers).into_iter().collect()
    }

    fn renamed(arch: Arch, label: &str, theirs: &[String]) -> BTreeSet<String> {
        let map = maps(Some(arch)).into_iter().find(|map| map.label == label).unwrap();
        let renamed: BTreeSet<String> =
            theirs.iter().map(|name| map.rename(name).unwrap_or_else(|| panic!("{name}"))).collect();
        assert_eq!(renamed.len(), theirs.len(), "no two tensors have one name");
        renamed
    }

    const STAGES: [usize; 7] = [1, 2, 2, 3, 3, 4, 1];

    #[test]
    fn timm_names_all_of_an_efficientnet() {
        let mut layers: Vec<String> = ["conv_stem", "bn1", "conv_head", "bn2"].map(String::from).into();
        for (stage, count) in STAGES.into_iter().enumerate() {
            for block in 0..count {
                let parts: &[&str] = match stage {
                    0 => &["conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2"],
                    _ => &["conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3"],
                };
                layers.extend(parts.iter().map(|part| format!("blocks.{stage}.{block}.{part}")));
            }
        }
        let without: Vec<String> = layers.iter().filter(|layer| !layer.contains(".se.")).cloned().collect();
        assert_eq!(renamed(Arch::EfficientnetB0, "timm's names", &tensors(&layers)), ours(true));
        assert_eq!(renamed(Arch::EfficientnetLite0, "timm's names", &tensors(&without)), ours(false));
    }

    #[test]
    fn torchvision_names_all_of_an_efficientnet() {
        let mut layers: Vec<String> = ["0.0", "0.1", "8.0", "8.1"].map(|layer| format!("features.{layer}")).into();
        for (stage, count) in STAGES.into_iter().enumerate() {
            for block in 0..count {
                let parts: &[&str] = match stage {
                    0 => &["0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1"],
                    _ => &["0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1"],
                };
                layers.extend(parts.iter().map(|part| format!("features.{}.{block}.block.{part}", stage + 1)));
            }
        }
        assert_eq!(renamed(Arch::EfficientnetB0, "torchvision's names", &tensors(&layers)), ours(true));
    }

    #[test]
    fn timm_names_all_of_torchvisions_mobilenet() {
        let mut theirs: Vec<String> = ["conv_stem", "bn1", "conv_head", "bn2"].map(String::from).into();
        for (stage, count) in [1, 2, 3, 4, 3, 3, 1].into_iter().enumerate() {
            for block in 0..count {
                let parts: &[&str] = match stage {
                    0 => &["conv_dw", "bn1", "conv_pw", "bn2"],
                    _ => &["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"],
                };
                theirs.extend(parts.iter().map(|part| format!("blocks.{stage}.{block}.{part}")));
            }
        }
        let mut torchvision = BTreeSet::new();
        for feature in 0..19 {
            let (convs, norms): (&[&str], &[&str]) = match feature {
                0 | 18 => (&["0"], &["1"]),
                1 => (&["conv.0.0", "conv.1"], &["conv.0.1", "conv.2"]),
                _ => (&["conv.0.0", "conv.1.0", "conv.2"], &["conv.0.1", "conv.1.1", "conv.3"]),
            };
            torchvision.extend(convs.iter().map(|conv| format!("features.{feature}.{conv}.weight")));
            torchvision
                .extend(norms.iter().flat_map(|norm| NORM.map(|part| format!("features.{feature}.{norm}.{part}"))));
        }
        assert_eq!(renamed(Arch::MobilenetV2, "timm's names", &tensors(&theirs)), torchvision);
    }
}
