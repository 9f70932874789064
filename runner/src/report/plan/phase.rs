//! What a phase does, in figures.

use super::CacheReport;
use crate::layers::NormMode;
use crate::net::{Graph, Source};
use crate::optim::{Scheduler, WarmUp};
use crate::plan::cache::Place;
use crate::plan::{Group, Memory, PhasePlan, Plan, norms};
use crate::spec::Until;
use serde::Serialize;

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
fn nothing(bytes: &u64) -> bool {
    *bytes == 0
}

impl PhaseReport {
    /// The figures of the phase at a place.
    pub fn of(plan: &Plan, place: usize, phase: &PhasePlan) -> Self {
        let graph = &plan.graph;
        let trainable = phase.trainable_values(graph);
        let all: usize = (0..graph.stages.len()).map(|stage| graph.param_count(stage)).sum();
        let memory = Memory::of(graph, phase, phase.micro_batch, &plan.spec);
        let cache = CacheReport::of(plan, place);
        let features = cache
            .bytes
            .filter(|_| cache.place == Some(Place::Memory))
            .unwrap_or_default()
            .saturating_add(cache.for_later.iter().fold(0, |sum, later| sum.saturating_add(later.bytes)))
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
