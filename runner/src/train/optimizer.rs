//! The optimizer's state, and its step over the groups of a phase.

use super::factors::Factors;
use super::{TrainError, checkpoint};
use crate::engine::optimizer::{AdamWStep, SgdStep};
use crate::engine::{Gradients, Kernels, Result, Tensor};
use crate::layers::Role;
use crate::net::{Net, Param, ParamId};
use crate::optim::Optimizer;
use crate::plan::{Group, PhasePlan};
use crate::weights::{WeightFile, WeightsError};
use std::collections::BTreeMap;

/// What the optimizer remembers of one parameter.
#[derive(Debug, Clone)]
pub struct Memory<D: Kernels> {
    /// Steps that the parameter has taken.
    pub steps: i32,
    /// SGD's velocity, or Adam's two moments; in the shape of the parameter.
    pub tensors: Vec<Tensor<D>>,
}

/// The optimizer and what it remembers.
#[derive(Debug)]
pub struct State<D: Kernels> {
    optimizer: Optimizer,
    memory: BTreeMap<ParamId, Memory<D>>,
}

impl<D: Kernels> State<D> {
    /// An optimizer that remembers nothing yet.
    pub fn new(optimizer: Optimizer) -> Self {
        State { optimizer, memory: BTreeMap::new() }
    }

    /// Which optimizer it is.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Goes on by other numbers; what is remembered stays. Another kind of optimizer is none of that.
    pub fn set(&mut self, optimizer: &Optimizer) {
        if std::mem::discriminant(&self.optimizer) == std::mem::discriminant(optimizer) {
            self.optimizer = optimizer.clone();
        }
    }

    /// Another kind of optimizer begins, from nothing; one of the same kind goes on.
    pub fn replace(&mut self, optimizer: &Optimizer) {
        if std::mem::discriminant(&self.optimizer) != std::mem::discriminant(optimizer) {
            *self = State::new(optimizer.clone());
        }
    }

    /// Goes over to another net: what is remembered of a parameter is that of the one before at `from`.
    pub fn go_over(&mut self, from: &[Option<ParamId>]) {
        let mut before = std::mem::take(&mut self.memory);
        let kept = from.iter().enumerate().filter_map(|(id, from)| Some((id, before.remove(&(*from)?)?)));
        self.memory = kept.collect();
    }

    /// Begins a phase: parameters that go on training keep what is remembered of them, unless the phase
    /// resets the optimizer; the others are forgotten.
    pub fn begin(&mut self, phase: &PhasePlan) {
        if phase.reset_optimizer {
            self.memory.clear();
        }
        let trains: std::collections::BTreeSet<ParamId> =
            phase.groups.iter().flat_map(|group| group.params.iter().copied()).collect();
        self.memory.retain(|param, _| trains.contains(param));
    }

    /// Goes on from a checkpoint of the net.
    ///
    /// # Errors
    /// Where the checkpoint does not fit the net.
    pub fn resume(&mut self, file: &mut WeightFile, net: &Net<D>) -> std::result::Result<(), TrainError> {
        let steps = file.metadata().get(checkpoint::OPTIMIZER_STEPS).cloned().unwrap_or_default();
        let steps: BTreeMap<String, i32> = serde_json::from_str(&steps).map_err(|error| {
            let (path, reason) = (file.path().display().to_string(), format!("no steps of the optimizer: {error}"));
            WeightsError::File { path, reason }
        })?;
        for (id, param) in net.graph.params.iter().enumerate() {
            let Some(&steps) = steps.get(&param.name) else { continue };
            let mut tensors = Vec::new();
            for slot in 0..self.slots() {
                let values = checkpoint::read_prefixed(file, &slot_prefix(slot), param)?;
                tensors.push(Tensor::from_vec(net.params.get(id).device(), values, &param.def.dims)?);
            }
            self.memory.insert(id, Memory { steps, tensors });
        }
        Ok(())
    }

    /// Tensors that are remembered of a parameter.
    fn slots(&self) -> usize {
        if matches!(self.optimizer, Optimizer::Sgd(_)) { 1 } else { 2 }
    }

    /// What is remembered, by parameter.
    pub fn memory(&self) -> &BTreeMap<ParamId, Memory<D>> {
        &self.memory
    }

    /// Moves every parameter of every group of the phase by its gradient. Learning rates are the groups'
    /// times their factors, which the scheduler gives.
    pub fn step(
        &mut self,
        phase: &PhasePlan,
        net: &mut Net<D>,
        gradients: &mut Gradients<D>,
        factors: Factors,
    ) -> Result<()> {
        for group in &phase.groups {
            for &id in &group.params {
                self.step_one(group, group.lr * factors.of_group(group), id, net, gradients)?;
            }
        }
        Ok(())
    }

    fn step_one(
        &mut self,
        group: &Group,
        lr: f64,
        id: ParamId,
        net: &mut Net<D>,
        gradients: &mut Gradients<D>,
    ) -> Result<()> {
        let weight_decay = weight_decay(&self.optimizer, group, net.graph.params[id].def.role);
        let param = net.params.get_mut(id);
        let slots = self.slots();
        let memory = match self.memory.entry(id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let zeros = || Tensor::zeros(param.device(), param.dims());
                let tensors = (0..slots).map(|_| zeros()).collect::<Result<_>>()?;
                new.insert(Memory { steps: 0, tensors })
            }
        };
        memory.steps = memory.steps.saturating_add(1);
        match (&self.optimizer, memory.tensors.as_mut_slice()) {
            (Optimizer::Sgd(sgd), [velocity]) => {
                let step = SgdStep { lr, momentum: sgd.momentum, nesterov: sgd.nesterov, weight_decay };
                step.apply(param, velocity, gradients)
            }
            (Optimizer::AdamW(adamw), [first, second]) => {
                let step = AdamWStep { lr, betas: adamw.betas, eps: adamw.eps, weight_decay };
                step.apply(memory.steps, param, first, second, gradients)
            }
            _ => Ok(()),
        }
    }
}

/// The name in checkpoints of what is remembered of a parameter.
pub fn slot_name(slot: usize, param: &Param) -> String {
    slot_prefix(slot) + &param.name
}

fn slot_prefix(slot: usize) -> String {
    format!("optimizer.{slot}.")
}

/// Weight decay of one parameter: the group's, or else the optimizer's; none on norms and biases
/// unless the optimizer says so.
pub fn weight_decay(optimizer: &Optimizer, group: &Group, role: Role) -> f64 {
    let (default, everywhere) = match optimizer {
        Optimizer::Sgd(sgd) => (sgd.weight_decay, sgd.decay_norm_and_bias),
        Optimizer::AdamW(adamw) => (adamw.weight_decay, adamw.decay_norm_and_bias),
    };
    if role.decays() || everywhere { group.weight_decay.unwrap_or(default) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{AdamW, Sgd};

    #[test]
    fn norms_and_biases_decay_only_where_the_spec_says_so() {
        let group = |weight_decay| Group {
            name: "head".into(),
            pattern: "head".into(),
            params: vec![],
            lr: 0.1,
            weight_decay,
            again: false,
        };
        let plain = Optimizer::AdamW(AdamW { weight_decay: 0.5, ..AdamW::default() });
        let all = Optimizer::Sgd(Sgd { weight_decay: 0.5, decay_norm_and_bias: true, ..Sgd::default() });
        let decay = |optimizer, own, role| weight_decay(optimizer, &group(own), role);
        for role in [Role::Bias, Role::Scale, Role::Shift] {
            assert!(decay(&plain, Some(0.25), role).abs() < f64::EPSILON);
            assert!((decay(&all, None, role) - 0.5).abs() < f64::EPSILON);
        }
        assert!((decay(&plain, None, Role::Weight) - 0.5).abs() < f64::EPSILON);
        assert!((decay(&plain, Some(0.25), Role::Weight) - 0.25).abs() < f64::EPSILON);
    }

    /// What is remembered, by parameter, when the second phase begins.
    fn remembered(second: &str) -> Vec<(ParamId, i32)> {
        use crate::plan::fixture;
        use crate::spec::Problems;
        let yaml = format!(
            "phases: [{{ name: a, epochs: 1, train: [head, layer1], lr: 1 }}, {{ name: b, epochs: 1, lr: 1, {second} }}]"
        );
        let (graph, mut problems) = (fixture::net(&["stem", "layer1", "head"]), Problems::default());
        let phases = fixture::drafts(&fixture::yaml(&yaml)).into_iter();
        let phases: Vec<PhasePlan> = phases.map(|draft| PhasePlan::resolve(&draft, &graph, &mut problems)).collect();
        assert_eq!(problems, Problems::default());
        let mut state: State<crate::engine::Cpu> = State::new(Optimizer::default());
        state.begin(&phases[0]);
        for group in &phases[0].groups {
            state.memory.extend(group.params.iter().map(|&param| (param, Memory { steps: 7, tensors: vec![] })));
        }
        state.begin(&phases[1]);
        state.memory().iter().map(|(&param, memory)| (param, memory.steps)).collect()
    }

    #[test]
    fn what_goes_on_training_is_remembered_unless_the_phase_says_otherwise() {
        let head: Vec<(ParamId, i32)> = remembered("train: [head, stem]");
        assert_eq!(head.len(), 2, "weight and bias of the head; the stem begins anew, layer1 is forgotten");
        assert!(head.iter().all(|(_, steps)| *steps == 7));
        assert_eq!(remembered("train: [head, layer1]").len(), 2 + 3);
        assert_eq!(remembered("train: [head, layer1], reset_optimizer: true"), []);
    }
}
