//! Name maps: what other frameworks call our parameters.
//!
//! Our own names are torchvision's, but for the EfficientNets, whose torchvision names say little:
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
fn same(_: Arch, name: &str) -> Option<String> {
    Some(name.to_owned())
}
