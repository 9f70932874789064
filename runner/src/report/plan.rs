//! What `runner plan` says: the plan for programs (JSON), and from the same figures for a person.

mod cache;
#[cfg(test)]
mod tests;
mod text;

pub use cache::CacheReport;

use crate::heads::Head;
use crate::layers::NormMode;
use crate::net::{Graph, Node, Origin, Source};
use crate::optim::{Scheduler, WarmUp};
use crate::plan::cache::Place as KeptIn;
use crate::plan::{FittedHead, Group, Memory, PhasePlan, Plan, norms};
use crate::plugin::Plugin;
use crate::spec::{PluginSource, Task, Until};
use indexmap::IndexMap;
use serde::Serialize;

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
}

impl PluginReport {
    /// The plugins of a plan.
    pub fn all(plan: &Plan) -> Vec<Self> {
        let report = |(plugin, source): (&Plugin, &PluginSource)| PluginReport {
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            path: source.path.display().to_string(),
            sha256: plugin.sha256.clone(),
            layers: plugin.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
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

/// What happens in a phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseReport {
    /// The phase's name.
    pub name: String,
    /// How many epochs it lasts, at most.
    pub epochs: usize,
    /// What ends it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Whether the next phase begins with its best weights.
    #[serde(skip_serializing_if = "is_false")]
    pub restore_best: bool,
    /// How learning rates change over its steps, where they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// How they rise before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// How the rates of what trained in the phase before rise, in the place of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewarm: Option<WarmUp>,
    /// Whether the optimizer begins anew.
    #[serde(skip_serializing_if = "is_false")]
    pub reset_optimizer: bool,
    /// The greatest norm of the gradients, where it is the phase's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    /// The greatest value of a gradient, where it is the phase's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad_value: Option<f64>,
    /// Images that are computed at a time.
    pub micro_batch: usize,
    /// The auxiliary head that it trains, where it ends there and not at the net's output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auxiliary: Option<AuxiliaryReport>,
    /// What trains.
    pub groups: Vec<GroupReport>,
    /// Values that train: what the optimizer visits.
    pub trainable: usize,
    /// Values that do not, running statistics apart.
    pub frozen: usize,
    /// How many batch norms do what.
    pub batch_norm: NormReport,
    /// The first layer with a parameter that trains: all before it runs without a tape.
    pub boundary: Option<BoundaryReport>,
    /// Whether what comes before is computed once and kept.
    pub cache: CacheReport,
    /// An estimate of the most memory held at once.
    pub memory: MemoryReport,
}

/// Parameters that train together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupReport {
    /// Its name: the pattern that names it, or its part with a learning rate of its own.
    pub name: String,
    /// The pattern that it is a part of, where it is not the whole of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// Its learning rate.
    pub lr: f64,
    /// Its weight decay, where it is not the optimizer's.
    pub weight_decay: Option<f64>,
    /// Its values that train.
    pub trainable: usize,
}

/// Where a phase ends, when not at the net's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuxiliaryReport {
    /// The head's stage.
    pub stage: String,
    /// The stage that it looks at; none of the net's after it is computed.
    pub after: String,
}

/// How many batch norms do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct NormReport {
    /// Running statistics are used, nothing changes.
    pub frozen: usize,
    /// The batch's statistics are used, running ones follow; scale and shift are frozen.
    pub statistics: usize,
    /// The batch's statistics are used, running ones follow; scale and shift train.
    pub train: usize,
}

/// Where the frozen prefix ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundaryReport {
    /// The stage.
    pub stage: String,
    /// The layer.
    pub layer: String,
    /// Its place among all layers, from 0.
    pub place: usize,
}

/// An estimate of the most memory held at once, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryReport {
    /// All parameters and running statistics, and copies of them.
    pub parameters: u64,
    /// Gradients of what trains.
    pub gradients: u64,
    /// What the optimizer keeps.
    pub optimizer: u64,
    /// Activations at the worst moment.
    pub activations: u64,
    /// Images, those of the batches that are made ahead included.
    pub images: u64,
    /// The best weights so far, and a checkpoint while it is written.
    pub copies: u64,
    /// Scratch space of the kernels.
    pub scratch: u64,
    /// What is computed once and kept, where that is in memory, and on its way there and back.
    pub features: u64,
    /// Decoded images that are kept, where the spec says how much they may take.
    #[serde(skip_serializing_if = "nothing")]
    pub cache: u64,
    /// All of these.
    pub total: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(value: &usize) -> bool {
    *value == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn nothing(bytes: &u64) -> bool {
    *bytes == 0
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
            phases: plan.phases.iter().map(|phase| of_phase(plan, phase)).collect(),
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

fn of_phase(plan: &Plan, phase: &PhasePlan) -> PhaseReport {
    let graph = &plan.graph;
    let trainable = phase.trainable_values(graph);
    let all: usize = (0..graph.stages.len()).map(|stage| graph.param_count(stage)).sum();
    let memory = Memory::of(graph, phase, phase.micro_batch, &plan.spec);
    let cache = CacheReport::of(plan, phase);
    let features = cache
        .bytes
        .filter(|_| cache.place == Some(KeptIn::Memory.name()))
        .unwrap_or_default()
        .saturating_add(cache.passing);
    PhaseReport {
        name: phase.name.clone(),
        epochs: phase.epochs,
        until: phase.until.clone(),
        restore_best: phase.restore_best,
        scheduler: Some(phase.scheduler.clone()).filter(|scheduler| *scheduler != Scheduler::default()),
        warm_up: phase.warm_up.clone(),
        rewarm: phase.rewarm.clone(),
        reset_optimizer: phase.reset_optimizer,
        clip_grad_norm: phase.clip_grad_norm,
        clip_grad_value: phase.clip_grad_value,
        micro_batch: phase.micro_batch,
        auxiliary: of_auxiliary(graph, phase),
        groups: phase.groups.iter().map(|group| of_group(graph, group)).collect(),
        trainable,
        frozen: all - trainable,
        batch_norm: of_norms(graph, phase),
        boundary: graph.nodes.get(phase.boundary).map(|node| BoundaryReport {
            stage: graph.stages.get(node.stage).map_or_else(String::new, |stage| stage.name.clone()),
            layer: node.name.clone(),
            place: phase.boundary,
        }),
        cache,
        memory: MemoryReport {
            parameters: memory.parameters,
            gradients: memory.gradients,
            optimizer: memory.optimizer,
            activations: memory.activations,
            images: memory.images,
            copies: memory.copies,
            scratch: memory.scratch,
            cache: memory.cache,
            features,
            total: memory.total().saturating_add(features),
        },
    }
}

fn of_auxiliary(graph: &Graph, phase: &PhasePlan) -> Option<AuxiliaryReport> {
    let stage = graph.stages.get(graph.stage_of_exit(phase.exit)?)?;
    let Source::Node(input) = *graph.nodes.get(stage.nodes.start)?.inputs.first()? else { return None };
    // The last stage with parameters: what follows it belongs to it.
    let own = (0..=graph.nodes[input].stage).rev().find(|&stage| graph.param_count(stage) > 0)?;
    Some(AuxiliaryReport { stage: stage.name.clone(), after: graph.stages[own].name.clone() })
}

fn of_group(graph: &Graph, group: &Group) -> GroupReport {
    GroupReport {
        name: group.name.clone(),
        part_of: (group.pattern != group.name).then(|| group.pattern.clone()),
        lr: group.lr,
        weight_decay: group.weight_decay,
        trainable: group.params.iter().map(|&param| graph.params[param].def.count()).sum(),
    }
}

fn of_norms(graph: &Graph, phase: &PhasePlan) -> NormReport {
    let trainable = phase.trainable(graph.params.len());
    let mut report = NormReport::default();
    for (id, (node, mode)) in graph.nodes.iter().zip(&phase.norms).enumerate() {
        if norms::is_norm(graph, id) {
            let trains = node.params.clone().any(|param| trainable[param]);
            match mode {
                NormMode::Inference => report.frozen += 1,
                NormMode::Batch | NormMode::Mean(_) if trains => report.train += 1,
                NormMode::Batch | NormMode::Mean(_) => report.statistics += 1,
            }
        }
    }
    report
}
