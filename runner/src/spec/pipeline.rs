//! The top level of a spec.

use super::{Backbone, Data, Path, Plugins, Schedule};
use crate::augment::Augmentation;
use crate::heads::Head;
use crate::layers::AnyLayer;
use crate::regularize::Regularization;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pipeline: the data, the net, and how it is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The run's name; runs are kept in `runs/NAME/`.
    pub name: String,
    /// All randomness is drawn from this number.
    #[serde(default)]
    pub seed: u64,
    /// Where to compute: `auto`, `cpu`, `cuda`, `cuda:1`.
    #[serde(default)]
    pub device: crate::engine::DeviceName,
    /// The images, how they are read and split.
    pub data: Data,
    /// Shared libraries that bring layers of their own. A plugin is native code: it can do whatever
    /// the runner can.
    #[serde(default, skip_serializing_if = "Plugins::is_empty")]
    pub plugins: Plugins,
    /// A pretrained net to start from. Either this or `layers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Backbone>,
    /// A net written as a list of layers. Either this or `backbone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<AnyLayer>>,
    /// The layers after the backbone, down to one output a class: a list, or a head that is fitted
    /// (`linear_svm`, `logistic`), or `{ convert_fc: true }`. By default the backbone's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// How training images are varied.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// What keeps the net from overfitting, besides layers and augmentation.
    #[serde(default)]
    pub regularization: Regularization,
    /// The optimizer and the phases. Only a head that is fitted needs none: with one, phases train from
    /// the fitted head on.
    #[serde(default, skip_serializing_if = "Schedule::is_absent")]
    pub schedule: Schedule,
}

impl Pipeline {
    /// The layers that the spec writes, each with the place of its entry.
    pub fn layers_written(&self) -> Vec<(Path, &AnyLayer)> {
        let list = |name: &str, layers: &'_ [AnyLayer]| (0..layers.len()).map(|i| Path::of(name).index(i)).collect();
        let (layers, head) = (self.layers.as_deref().unwrap_or_default(), self.listed_head());
        let paths: [Vec<Path>; 2] = [list("layers", layers), list("head", head)];
        let of_backbone = self.backbone.iter().flat_map(|backbone| backbone.layers_written(&Path::of("backbone")));
        of_backbone.chain(paths.into_iter().flatten().zip(layers.iter().chain(head))).collect()
    }

    /// The same, to be changed.
    pub fn layers_written_mut(&mut self) -> Vec<(Path, &mut AnyLayer)> {
        let paths: Vec<Path> = self.layers_written().into_iter().map(|(path, _)| path).collect();
        let of_backbone = self.backbone.iter_mut().flat_map(Backbone::layers_written_mut);
        let layers = self.layers.iter_mut().flatten().chain(self.head.iter_mut().flat_map(Head::listed_mut));
        paths.into_iter().zip(of_backbone.chain(layers)).collect()
    }

    /// The layers that the head lists; none where it is not a list.
    pub fn listed_head(&self) -> &[AnyLayer] {
        self.head.as_ref().map(Head::listed).unwrap_or_default()
    }
}
