//! The optimizer's state, and its step over the groups of a phase.

use crate::engine::optimizer::{AdamWStep, SgdStep};
use crate::engine::{Gradients, Kernels, Result, Tensor};
use crate::layers::Role;
use crate::net::{Net, ParamId};
use crate::optim::Optimizer;
use crate::plan::{Group, PhasePlan};
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

    /// Begins a phase: parameters that go on training keep what is remembered of them, the others
    /// are forgotten.
    pub fn begin(&mut self, phase: &PhasePlan) {
        let trains: std::collections::BTreeSet<ParamId> =
            phase.groups.iter().flat_map(|group| group.params.iter().copied()).collect();
        self.memory.retain(|param, _| trains.contains(param));
    }

    /// What is remembered, by parameter.
    pub fn memory(&self) -> &BTreeMap<ParamId, Memory<D>> {
        &self.memory
    }

    /// Moves every parameter of every group of the phase by its gradient.
    pub fn step(&mut self, phase: &PhasePlan, net: &mut Net<D>, gradients: &mut Gradients<D>) -> Result<()> {
        for group in &phase.groups {
            for &id in &group.params {
                self.step_one(group, id, net, gradients)?;
            }
        }
        Ok(())
    }

    fn step_one(&mut self, group: &Group, id: ParamId, net: &mut Net<D>, gradients: &mut Gradients<D>) -> Result<()> {
        let weight_decay = weight_decay(&self.optimizer, group, net.graph.params[id].def.role);
        let param = net.params.get_mut(id);
        let slots = if matches!(self.optimizer, Optimizer::Sgd(_)) { 1 } else { 2 };
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
                let step = SgdStep { lr: group.lr, momentum: sgd.momentum, nesterov: sgd.nesterov, weight_decay };
                step.apply(param, velocity, gradients)
            }
            (Optimizer::AdamW(adamw), [first, second]) => {
                let step = AdamWStep { lr: group.lr, betas: adamw.betas, eps: adamw.eps, weight_decay };
                step.apply(memory.steps, param, first, second, gradients)
            }
            _ => Ok(()),
        }
    }
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
        let group =
            |weight_decay| Group { name: "head".into(), pattern: "head".into(), params: vec![], lr: 0.1, weight_decay };
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
}
