//! What `runner plan` says: the plan for programs (JSON), and from the same figures for a person.

mod cache;
mod phase;
#[cfg(test)]
mod tests;
mod text;

pub use cache::{CacheReport, ForLater};
pub use phase::{AuxiliaryReport, BoundaryReport, GroupReport, MemoryReport, NormReport, PhaseReport};

use crate::engine::DeviceName;
use crate::heads::Head;
use crate::net::{Graph, Node, Origin};
use crate::plan::{FittedHead, Plan};
use crate::plugin::{Kind, Plugin};
use crate::spec::{PluginSource, Task};
use indexmap::IndexMap;
use serde::Serialize;
use std::sync::Arc;

/// A plan in figures. All sizes are in bytes, all counts in values (not tensors).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReport {
    /// The pipeline's name.
    pub name: String,
    /// Where it computes, as the spec says it.
    pub device: String,
    /// All randomness is drawn from this.
    pub seed: u64,
    /// What the net is for.
    #[serde(skip_serializing_if = "Task::is_default")]
    pub task: Task,
    /// The images.
    pub data: DataReport,
    /// Shape of one image: height, width, channels.
    pub input: Vec<usize>,
    /// Images a step.
    pub batch: usize,
    /// The most memory that training may take, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<u64>,
    /// Decoded images that are kept from epoch to epoch; none where that is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<ImagesReport>,
    /// The backbone's architecture; none for a net written in the spec.
    pub backbone: Option<String>,
    /// The stage or layer after which the backbone is cut; none where it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// The layers that the spec puts into the backbone, in order.
    pub changes: Vec<ChangeReport>,
    /// The weight file held against the net; none where the net starts from random weights.
    pub weights: Option<WeightsReport>,
    /// The plugins that bring layers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<PluginReport>,
    /// The net by stage, in order.
    pub stages: Vec<StageReport>,
    /// The auxiliary heads that layer-wise training puts beside it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auxiliary: Vec<StageReport>,
    /// Parameters of all stages, running statistics apart.
    pub parameters: usize,
    /// Multiply-adds of the forward pass of one sample.
    pub multiply_adds: u64,
    /// The head that is fitted before the phases; none where phases alone train it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fitted: Option<FittedReport>,
    /// The phases, in order, shorthand written out.
    pub phases: Vec<PhaseReport>,
    /// What a person should know before running it.
    pub warnings: Vec<String>,
}

/// The images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataReport {
    /// What is used, for a person.
    pub description: String,
    /// Whether the images are generated because the source cannot be had.
    pub fallback: bool,
    /// How many there are, where that is known without reading them.
    pub samples: Option<usize>,
    /// The classes, in the order of the net's outputs.
    pub classes: Vec<String>,
    /// How many images of each class an epoch draws, where classes are oversampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Drawn>,
}

/// Decoded images that are kept from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImagesReport {
    /// Images of all splits.
    pub images: usize,
    /// What they would take, in bytes.
    pub expected: u64,
    /// What they may take, in bytes: as the spec says, or of what is free now.
    pub most: u64,
    /// Whether all of them fit.
    pub fits: bool,
}

/// How many images an epoch draws.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// In all; none where that is not known before the data is there.
    pub images: Option<usize>,
    /// By class.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub classes: IndexMap<String, usize>,
}

/// A weight file held against the net, counted in tensors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightsReport {
    /// The file or run, as the spec names it.
    pub file: String,
    /// The checkpoint, where it is a run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Tensors that are loaded.
    pub matched: usize,
    /// Tensors that the net has; of its head and of layers put into the backbone, only those that the
    /// file has too.
    pub total: usize,
    /// Whose names the file has.
    pub names: String,
    /// Tensors of the net that the file lacks, as the spec allows.
    pub missing: Vec<String>,
    /// Tensors of the file that the net lacks, as the spec allows.
    pub unexpected: Vec<String>,
    /// Tensors of the file for what the net was cut before.
    #[serde(skip_serializing_if = "is_zero")]
    pub cut_off: usize,
    /// Tensors whose shapes differ, as the spec allows.
    pub wrong_shape: Vec<String>,
    /// What is worth knowing and stops nothing.
    pub notes: Vec<String>,
}

/// A plugin that is loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginReport {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its path, as the spec names it.
    pub path: String,
    /// The hash of the library.
    pub sha256: String,
    /// The layers that it brings.
    pub layers: Vec<String>,
    /// Those that are given the tensors of the GPU that the spec asks for, so that nothing is copied for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_gpu: Vec<String>,
}

impl PluginReport {
    /// The plugins of a plan.
    pub fn all(plan: &Plan) -> Vec<Self> {
        let (on_gpu, guard) = (matches!(plan.spec.device, DeviceName::Cuda(_)), plan.spec.plugins.guard);
        let names = |kinds: &[Arc<Kind>], fits: &dyn Fn(&Kind) -> bool| {
            kinds.iter().filter(|kind| fits(kind)).map(|kind| kind.name().to_owned()).collect()
        };
        let report = |(plugin, source): (&Plugin, &PluginSource)| PluginReport {
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            path: source.path.display().to_string(),
            sha256: plugin.sha256.clone(),
            layers: names(&plugin.kinds, &|_| true),
            on_gpu: names(&plugin.kinds, &|kind| on_gpu && kind.works_on_gpu(guard)),
        };
        plan.plugins.iter().zip(&plan.spec.plugins.load).map(report).collect()
    }
}

/// A layer that the spec puts into the backbone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub layer: String,
    /// Whether it stands in the place of another; else it stands between two others.
    pub replaces: bool,
    /// Shape of its output for one sample: height, width, channels; or features.
    pub output: Vec<usize>,
}

/// What a stage is and costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageReport {
    /// The name that patterns in the spec use.
    pub name: String,
    /// Shape of its output for one sample: height, width, channels; or features.
    pub output: Vec<usize>,
    /// Its parameters, running statistics apart.
    pub parameters: usize,
    /// Multiply-adds of the forward pass of one sample.
    pub multiply_adds: u64,
    /// How many layers it has of each kind.
    pub layers: IndexMap<String, usize>,
    /// The layers' names, in order: those that `insert` and `replace` in a spec know them by.
    pub names: Vec<String>,
}

/// A head that is fitted to convergence on features of the training images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FittedReport {
    /// How, for a person.
    pub how: String,
    /// Its arguments, as the spec has them.
    pub arguments: Head,
    /// The layer that is fitted.
    pub layer: String,
    /// Features of each image.
    pub features: usize,
    /// Values that are fitted.
    pub parameters: usize,
    /// Values that are not, running statistics apart.
    pub frozen: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl PlanReport {
    /// The figures of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut stages: Vec<StageReport> =
            (0..plan.graph.stages.len()).map(|stage| of_stage(&plan.graph, stage)).collect();
        let auxiliary = stages.split_off(plan.graph.own_stages());
        PlanReport {
            name: plan.spec.name.clone(),
            device: plan.spec.device.to_string(),
            seed: plan.spec.seed,
            task: plan.spec.task,
            data: DataReport {
                description: plan.data.description.clone(),
                fallback: plan.data.fallback,
                samples: plan.data.samples,
                classes: plan.data.classes.clone(),
                drawn: plan.spec.data.oversample.as_ref().map(|_| of_drawn(plan)),
            },
            input: plan.graph.input.dims(),
            batch: plan.spec.data.batch,
            memory_budget: plan.spec.memory_budget.map(|budget| budget.0),
            cache: None,
            backbone: plan.spec.backbone.as_ref().map(|backbone| backbone.arch.name().to_owned()),
            features: plan.spec.backbone.as_ref().and_then(|backbone| backbone.features.clone()),
            changes: plan.graph.nodes.iter().filter_map(of_change).collect(),
            weights: of_weights(plan),
            plugins: PluginReport::all(plan),
            parameters: stages.iter().map(|stage| stage.parameters).sum(),
            multiply_adds: stages.iter().fold(0, |sum, stage| sum.saturating_add(stage.multiply_adds)),
            fitted: plan.fitted.as_ref().map(|head| of_fitted(&plan.graph, head)),
            stages,
            auxiliary,
            phases: plan.phases.iter().enumerate().map(|(place, phase)| PhaseReport::of(plan, place, phase)).collect(),
            warnings: plan.warnings.clone(),
        }
    }
}

fn of_drawn(plan: &Plan) -> Drawn {
    let known = plan.drawn.iter().flatten().copied();
    let classes = plan.data.classes.iter().cloned().zip(known).collect();
    Drawn { images: plan.drawn.as_ref().map(|drawn| drawn.iter().sum()), classes }
}

fn of_stage(graph: &Graph, place: usize) -> StageReport {
    let stage = &graph.stages[place];
    let nodes = &graph.nodes[stage.nodes.clone()];
    let mut layers = IndexMap::new();
    for node in nodes {
        *layers.entry(node.layer.name().to_owned()).or_default() += 1;
    }
    StageReport {
        name: stage.name.clone(),
        output: nodes.last().map_or(graph.input, |node| node.output).dims(),
        parameters: graph.param_count(place),
        multiply_adds: graph.multiply_adds(place),
        layers,
        names: nodes.iter().map(|node| node.name.clone()).collect(),
    }
}

fn of_change(node: &Node) -> Option<ChangeReport> {
    let change = |replaces| ChangeReport {
        name: node.name.clone(),
        layer: node.layer.name().to_owned(),
        replaces,
        output: node.output.dims(),
    };
    match node.origin {
        Origin::Designed => None,
        Origin::Inserted => Some(change(false)),
        Origin::Replaced => Some(change(true)),
    }
}

fn of_weights(plan: &Plan) -> Option<WeightsReport> {
    let report = plan.weights.as_ref()?;
    let of_backbone = plan.spec.backbone.as_ref().and_then(|backbone| backbone.weights.as_ref());
    let named = of_backbone.or(plan.spec.weights.as_ref())?;
    Some(WeightsReport {
        file: named.to_string(),
        run: report.run.as_ref().map(|_| report.file.display().to_string()),
        matched: report.matched.len(),
        total: report.total,
        names: report.names.clone(),
        missing: report.missing.clone(),
        unexpected: report.unexpected.clone(),
        cut_off: report.cut_off,
        wrong_shape: report.wrong_shape.iter().map(|(name, _, _)| name.clone()).collect(),
        notes: report.notes.clone(),
    })
}

fn of_fitted(graph: &Graph, head: &FittedHead) -> FittedReport {
    let all: usize = (0..graph.stages.len()).map(|stage| graph.param_count(stage)).sum();
    let parameters = [head.weight, head.bias].iter().map(|&param| graph.params[param].def.count()).sum();
    FittedReport {
        how: head.how.to_string(),
        arguments: Head::Fitted(head.how.clone()),
        layer: graph.nodes.get(head.node).map_or_else(String::new, |node| node.name.clone()),
        features: head.width,
        parameters,
        frozen: all - parameters,
    }
}
