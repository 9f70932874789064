//! `backbone:` in a spec.

use crate::layers::Init;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A pretrained net to start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backbone {
    /// The architecture: `resnet18`, `efficientnet_lite0`, ...
    pub arch: crate::backbones::Arch,
    /// A weight file (`.safetensors`, `.pth`, `.pt`), relative to the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// The only gaps between weight file and net that loading lets pass.
    #[serde(default, skip_serializing_if = "Allow::is_empty")]
    pub allow: Allow,
    /// How weights that no file gives are drawn.
    #[serde(default)]
    pub init: Init,
}

/// Gaps between weight file and net that loading lets pass: tensor names, `*` matching anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Tensors of the net that the file lacks; they are drawn by `init`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Tensors of the file that the net lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexpected: Vec<String>,
    /// Tensors whose shapes differ; they are drawn by `init`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<String>,
}

impl Allow {
    /// True when no gap is let pass.
    pub fn is_empty(&self) -> bool {
        *self == Allow::default()
    }
}
