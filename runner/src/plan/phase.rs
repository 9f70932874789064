//! A phase of the plan, and which parameters train in it.

use super::{groups, norms, rates};
use crate::layers::{NormMode, Role};
use crate::net::{Exit, Graph, NodeId, ParamId};
use crate::optim::{Scheduler, WarmUp};
use crate::spec::Draft;
use crate::spec::{NormSetting, Problem, Problems, Until};

/// A phase, resolved. What trains in it is a function of this alone.
#[derive(Debug, Clone, PartialEq)]
pub struct PhasePlan {
    /// The phase's name.
    pub name: String,
    /// How many epochs it lasts, at most.
    pub epochs: usize,
    /// What ends it before.
    pub until: Option<Until>,
    /// Whether the next phase begins with its best weights rather than its last.
    pub restore_best: bool,
    /// How learning rates change over its steps.
    pub scheduler: Scheduler,
    /// How they rise before.
    pub warm_up: Option<WarmUp>,
    /// How the rates of groups that trained in the phase before rise, in the place of that.
    pub rewarm: Option<WarmUp>,
    /// Whether the optimizer begins anew.
    pub reset_optimizer: bool,
    /// The greatest norm of the gradients, in place of regularization's.
    pub clip_grad_norm: Option<f64>,
    /// The greatest value of a gradient, in place of regularization's.
    pub clip_grad_value: Option<f64>,
    /// The groups that train. Every parameter that trains is in exactly one.
    pub groups: Vec<Group>,
    /// What batch norm does, by node.
    pub norms: Vec<NormMode>,
    /// The first node with a parameter that trains: the boundary. The nodes before it are the
    /// frozen prefix; no gradient is needed of them, so they run without a tape.
    ///
    /// The prefix's output depends on its input alone, and so may be cached, only if all its batch
    /// norms are in [`NormMode::Inference`]: in [`NormMode::Batch`] it depends on the whole batch,
    /// and skipping it would leave running statistics behind. Layers that draw random numbers rule
    /// a cache out as well. [`PhasePlan::prefix_is_constant`] says so.
    pub boundary: NodeId,
    /// Where passes end in it: at the net's output, or at the auxiliary head that trains in it.
    pub exit: Exit,
    /// A batch is computed in pieces of at most so many images; at least 1.
    pub micro_batch: usize,
    /// Which tensors may not change: all but those that train and the statistics that follow the
    /// batch. By parameter.
    pub frozen: Vec<bool>,
}

/// Parameters that train together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name: the pattern that made it (`head`, `blocks.13-15`), or the part of it that has a
    /// learning rate of its own (`blocks.13`, `re:conv in blocks.13`).
    pub name: String,
    /// The entry of the phase's `train` that made it.
    pub pattern: String,
    /// Its parameters, without buffers.
    pub params: Vec<ParamId>,
    /// Its learning rate.
    pub lr: f64,
    /// Its weight decay; `None` is the optimizer's.
    pub weight_decay: Option<f64>,
    /// Whether it trained in the phase before, and warms up again.
    pub again: bool,
}

impl PhasePlan {
    /// Resolves a phase's names in a graph. What is wrong goes to `problems`; the phase is then of
    /// no use but to look for further problems.
    pub fn resolve(draft: &Draft, graph: &Graph, problems: &mut Problems) -> PhasePlan {
        let owners = groups::owners(draft, graph, problems);
        let settings = norms::settings(draft, graph, &owners, problems);
        let groups = groups_of(draft, graph, &owners, &settings, problems);
        let norms: Vec<NormMode> = settings.into_iter().map(mode).collect();

        let given = &draft.phase;
        let mut phase = PhasePlan {
            name: given.name.clone(),
            epochs: given.most_epochs(),
            until: given.until.clone(),
            restore_best: given.restore_best,
            scheduler: given.scheduler.clone().unwrap_or_default(),
            warm_up: given.warm_up.clone(),
            rewarm: given.rewarm.as_ref().map(|rewarm| rewarm.0.clone()),
            reset_optimizer: given.reset_optimizer,
            clip_grad_norm: given.clip_grad_norm,
            clip_grad_value: given.clip_grad_value,
            groups,
            norms,
            boundary: graph.nodes.len(),
            exit: Exit::Output,
            micro_batch: usize::MAX,
            frozen: Vec::new(),
        };
        let trainable = phase.trainable(graph.params.len());
        let trains = |param: ParamId| trainable.get(param).copied().unwrap_or_default();
        let first = graph.nodes.iter().position(|node| node.params.clone().any(trains));
        phase.boundary = first.unwrap_or(graph.nodes.len());
        let last = graph.nodes.iter().rposition(|node| node.params.clone().any(trains));
        phase.exit = last.map_or(Exit::Output, |last| graph.exit_of(last));
        phase.frozen = (0..graph.params.len()).map(|param| !trains(param) && !phase.moves(graph, param)).collect();
        phase
    }

    /// Whether each of `count` parameters trains in this phase.
    pub fn trainable(&self, count: usize) -> Vec<bool> {
        let mut trainable = vec![false; count];
        for group in &self.groups {
            for &param in &group.params {
                trainable[param] = true;
            }
        }
        trainable
    }

    /// Whether the parameter is a statistic that follows the batch in this phase.
    pub fn moves(&self, graph: &Graph, param: ParamId) -> bool {
        let param = &graph.params[param];
        param.def.role.is_buffer() && self.norms[param.node] == NormMode::Batch
    }

    /// How many values train: what the optimizer visits.
    pub fn trainable_values(&self, graph: &Graph) -> usize {
        self.groups.iter().flat_map(|group| &group.params).map(|&param| graph.params[param].def.count()).sum()
    }

    /// Whether the frozen prefix gives the same output for the same input at every step.
    pub fn prefix_is_constant(&self, graph: &Graph) -> bool {
        use crate::layers::Layer as _;
        let prefix = graph.nodes.iter().zip(&self.norms).take(self.boundary);
        prefix.into_iter().all(|(node, norm)| *norm == NormMode::Inference && !node.layer.is_random())
    }
}

/// Epochs of phases together. More than there can be are refused, but added up before that is told.
pub fn epochs(phases: &[PhasePlan]) -> usize {
    phases.iter().fold(0, |sum, phase| sum.saturating_add(phase.epochs))
}

fn mode(setting: Option<NormSetting>) -> NormMode {
    match setting {
        Some(NormSetting::Statistics | NormSetting::Train) => NormMode::Batch,
        Some(NormSetting::Frozen) | None => NormMode::Inference,
    }
}

/// The groups with what of them trains: no buffers, and scale and shift of a batch norm only where
/// it is set to train.
fn groups_of(
    draft: &Draft,
    graph: &Graph,
    owners: &[Option<usize>],
    settings: &[Option<NormSetting>],
    problems: &mut Problems,
) -> Vec<Group> {
    let rates = rates::by_entry(draft, problems);
    let decays = match &draft.phase.weight_decay {
        Some(decay) => groups::by_group(decay, "weight_decay", draft, problems),
        None => vec![None; rates.len()],
    };
    let trains = |param: ParamId| {
        let param = &graph.params[param];
        match param.def.role {
            role if role.is_buffer() => false,
            Role::Scale | Role::Shift => settings[param.node].is_none_or(|setting| setting == NormSetting::Train),
            _ => true,
        }
    };
    let settings = draft.phase.train.iter().zip(rates).zip(decays).enumerate();
    let mut groups = Vec::new();
    for (entry, ((name, lr), weight_decay)) in settings {
        let owned: Vec<ParamId> = (0..owners.len()).filter(|&param| owners[param] == Some(entry)).collect();
        let params: Vec<ParamId> = owned.iter().copied().filter(|&param| trains(param)).collect();
        let only_norms = owned.iter().any(|&param| matches!(graph.params[param].def.role, Role::Scale | Role::Shift));
        if params.is_empty() && only_norms {
            let message = format!("nothing of `{name}` trains: it is batch norm, which does not train in this phase");
            problems.push(Problem::new(draft.at.train(entry), message).help("see `batch_norm` of the phase"));
        }
        groups.push(Group { name: name.clone(), pattern: name.clone(), params, lr, weight_decay, again: false });
    }
    rates::by_stage(groups, &draft.phase.lr, graph)
}
