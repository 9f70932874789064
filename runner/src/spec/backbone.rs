//! `backbone:` in a spec.

use super::one_or_list::OneOrList;
use super::{Path, Problem, Problems, Weights};
use crate::layers::{AnyLayer, Init};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pretrained net to start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backbone {
    /// The architecture: `resnet18`, `efficientnet_lite0`, ...
    pub arch: crate::backbones::Arch,
    /// A weight file (`.safetensors`, `.pth`, `.pt`), relative to the spec; or a map that takes the
    /// weights of a run: `{ run: NAME, take: encoder.* }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// How the first convolution's pretrained weights are fitted to images of another number of
    /// channels. The number itself is `data.image.channels`.
    #[serde(default, skip_serializing_if = "Input::is_default")]
    pub input: Input,
    /// The only gaps between weight file and net that loading lets pass.
    #[serde(default, skip_serializing_if = "Allow::is_empty")]
    pub allow: Allow,
    /// How weights that no file gives are drawn.
    #[serde(default)]
    pub init: Init,
    /// Cuts the net after a stage (`layer3`) or a layer (`layer3.0.relu1`): the head is put on what
    /// that gives, of a stage of a `ResNet` after its last `ReLU`. By default the head is then `global_avg_pool`
    /// and `linear`. Tensors of the weight file for what is cut off are left unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// Layers to put between those of the architecture: one
    /// (`{ after: layer3, layer: { dropout: 0.2 } }`), or a list of such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert: Option<OneOrList<Insert>>,
    /// Layers to put in the place of the architecture's own, by name:
    /// `{ maxpool: { max_pool: { size: 2 } } }`. They keep name and inputs.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub replace: IndexMap<String, AnyLayer>,
}

/// How pretrained weights are fitted to images of another number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    /// What becomes of the first convolution's weights.
    pub adapt: Adapt,
}

impl Input {
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    fn is_default(&self) -> bool {
        *self == Input::default()
    }
}

/// What becomes of the first convolution's weights, of M channels, where the images have N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adapt {
    /// For one channel the sum over the M: on a grey image the output is what it was on the image
    /// repeated M times. For N, channel i gets the weights of channel `i mod M`, times M / N, so that
    /// the output keeps its scale. As timm's `in_chans`.
    #[default]
    Sum,
    /// Each channel gets the mean over the M, whatever N is.
    Mean,
}

impl Adapt {
    /// The name, as YAML has it.
    pub fn name(self) -> &'static str {
        match self {
            Adapt::Sum => "sum",
            Adapt::Mean => "mean",
        }
    }
}

/// A layer that is put into the backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Insert {
    /// What it follows: a layer (`maxpool`, `layer1.0.conv1`), or a stage (`layer3`, after its last
    /// layer). It belongs to that stage, and all that took the output of what it follows take its.
    pub after: String,
    /// The layer. It is named after both: `layer3.dropout`; the second of that name `layer3.dropout.2`.
    pub layer: AnyLayer,
}

impl Backbone {
    /// Notes what cannot be, whatever the architecture is.
    pub fn check(&self, path: &Path, problems: &mut Problems) {
        if let Some(weights) = &self.weights {
            weights.check(&path.key("weights"), problems);
        }
        for (at, insert) in self.inserts(path) {
            if in_head(&insert.after) {
                problems.push(of_the_head(at.key("after"), &insert.after));
            }
            if !insert.layer.places().is_empty() {
                let at = at.key("layer").key(insert.layer.name()).key("with");
                let message = "`with` cannot be used here: what is put between two layers has one input";
                problems
                    .push(Problem::new(at, message).help("`with` names entries of a list, as in `head` and `layers`"));
            }
        }
        if let Some(name) = self.features.as_ref().filter(|name| in_head(name)) {
            problems.push(of_the_head(path.key("features"), name));
        }
        for name in self.replace.keys().filter(|name| in_head(name)) {
            problems.push(of_the_head(path.key("replace").key(name.as_str()), name).at_key());
        }
    }

    /// The layers that are put into it, each with its place in the spec; `path` is the backbone's.
    pub fn layers_written(&self, path: &Path) -> Vec<(Path, &AnyLayer)> {
        let inserted = self.inserts(path).into_iter().map(|(at, insert)| (at.key("layer"), &insert.layer));
        let replace = path.key("replace");
        let replaced = self.replace.iter().map(|(name, layer)| (replace.key(name.as_str()), layer));
        inserted.chain(replaced).collect()
    }

    /// The same layers in the same order, to be changed.
    pub fn layers_written_mut(&mut self) -> Vec<&mut AnyLayer> {
        let inserted = self.insert.iter_mut().flat_map(OneOrList::iter_mut).map(|insert| &mut insert.layer);
        inserted.chain(self.replace.values_mut()).collect()
    }

    /// What is inserted, each with its place in the spec; `path` is the backbone's.
    pub fn inserts(&self, path: &Path) -> Vec<(Path, &Insert)> {
        let at = path.key("insert");
        self.insert.as_ref().map(|inserts| inserts.with_places(&at)).unwrap_or_default()
    }
}

/// Whether a name is the head's, or that of a layer of it.
fn in_head(name: &str) -> bool {
    name == "head" || name.starts_with("head.")
}

fn of_the_head(at: Path, name: &str) -> Problem {
    Problem::new(at, format!("`{name}` is not of the backbone"))
        .help("write what the head is made of in `head:`, beside `backbone:`")
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
    /// What either of the two lets pass.
    #[must_use]
    pub fn and(mut self, other: Allow) -> Self {
        self.missing.extend(other.missing);
        self.unexpected.extend(other.unexpected);
        self.shape.extend(other.shape);
        self
    }

    /// True when no gap is let pass.
    pub fn is_empty(&self) -> bool {
        *self == Allow::default()
    }
}
