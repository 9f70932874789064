//! The top level of a spec.

use super::{Backbone, Bytes, Cache, Checkpoints, Data, Engine, Path, Plugins, Schedule, Task, Weights};
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
    /// How the device computes: `{ winograd: f4, precision: tf32 }`.
    #[serde(default, skip_serializing_if = "Engine::is_default")]
    pub engine: Engine,
    /// The most memory that training may take, as far as the plan can tell: `2GiB`, `512MiB`, `1.5GB`.
    /// Each phase then computes its batches in the largest pieces that fit; see `data.micro_batch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<Bytes>,
    /// What the net is for: `classify`, or `reconstruct` (an autoencoder).
    #[serde(default, skip_serializing_if = "Task::is_default")]
    pub task: Task,
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
    /// Weights that a net written as `layers` starts from: a file, or those of a run
    /// (`{ run: NAME, take: encoder.* }`). Those of a backbone are its own `weights`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// The layers after the backbone, down to one output a class: a list, or a head that is fitted
    /// (`linear_svm`, `logistic`), or `{ convert_fc: true }`. By default the backbone's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// With `task: reconstruct`: the layers after the encoder, back to an image of the input's size and
    /// channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Vec<AnyLayer>>,
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
    /// When the run's position is saved, besides at the end of each epoch: `{ every: 2min, keep: 3 }`.
    #[serde(default, skip_serializing_if = "Checkpoints::is_default")]
    pub checkpoint: Checkpoints,
    /// Whether what the frozen prefix gives is computed once and kept: `{ views: 8, memory: 2GiB }`.
    #[serde(default, skip_serializing_if = "Cache::is_default")]
    pub cache: Cache,
}

impl Pipeline {
    /// The layers that the spec writes, each with the place of its entry.
    pub fn layers_written(&self) -> Vec<(Path, &AnyLayer)> {
        let (layers, decoder) = (self.layers.as_deref(), self.decoder.as_deref());
        let lists = [("layers", layers), ("head", Some(self.listed_head())), ("decoder", decoder)];
        let written = lists.into_iter().flat_map(|(name, layers)| {
            layers
                .unwrap_or_default()
                .iter()
                .enumerate()
                .map(move |(place, layer)| (Path::of(name).index(place), layer))
        });
        let of_backbone = self.backbone.iter().flat_map(|backbone| backbone.layers_written(&Path::of("backbone")));
        of_backbone.chain(written).collect()
    }

    /// The same, to be changed.
    pub fn layers_written_mut(&mut self) -> Vec<(Path, &mut AnyLayer)> {
        let paths: Vec<Path> = self.layers_written().into_iter().map(|(path, _)| path).collect();
        let of_backbone = self.backbone.iter_mut().flat_map(Backbone::layers_written_mut);
        let head = self.head.iter_mut().flat_map(Head::listed_mut);
        let layers = self.layers.iter_mut().flatten().chain(head).chain(self.decoder.iter_mut().flatten());
        paths.into_iter().zip(of_backbone.chain(layers)).collect()
    }

    /// The layers that the head lists; none where it is not a list.
    pub fn listed_head(&self) -> &[AnyLayer] {
        self.head.as_ref().map(Head::listed).unwrap_or_default()
    }
}
