//! Penalties, noise and bounds in a step: what the plan says of each parameter, done to those that
//! train.

use crate::engine::{Gradients, Kernels, Pull, Result, Tensor};
use crate::net::Net;
use crate::plan::{Penalty, PhasePlan, Plan};
use crate::random::{Key, Purpose};
use crate::regularize::GradientNoise;

/// What acts on the parameters of a run besides the loss.
#[derive(Debug)]
pub struct Penalties<D: Kernels> {
    /// By parameter; empty where there is none.
    by_param: Vec<Penalty>,
    /// By parameter: where it is pulled to.
    start: Vec<Option<Tensor<D>>>,
    noise: Option<GradientNoise>,
    key: Key,
}

impl<D: Kernels> Penalties<D> {
    /// Those of a plan. `net` has the weights with which the run begins.
    pub fn new(plan: &Plan, net: &Net<D>) -> Self {
        let start = plan.penalties.iter().zip(net.params.tensors());
        let start = start.map(|(penalty, tensor)| (penalty.to_start > 0.0).then(|| tensor.clone()));
        Penalties {
            start: start.collect(),
            by_param: plan.penalties.clone(),
            noise: plan.spec.regularization.gradient_noise.clone(),
            key: Key::new(plan.spec.seed, Purpose::GradientNoise),
        }
    }

    /// None at all.
    pub fn none() -> Self {
        let key = Key::new(0, Purpose::GradientNoise);
        Penalties { by_param: Vec::new(), start: Vec::new(), noise: None, key }
    }

    /// Adds pulls and noise to the gradients of what trains in the phase. `step` is the number of the
    /// step over the whole run, from 0.
    pub fn add(&self, phase: &PhasePlan, net: &Net<D>, gradients: &mut Gradients<D>, step: u64) -> Result<()> {
        for &param in phase.groups.iter().flat_map(|group| &group.params) {
            let tensor = net.params.get(param);
            if let Some(penalty) = self.by_param.get(param) {
                if penalty.l1 > 0.0 || penalty.l2 > 0.0 {
                    Pull { absolute: penalty.l1, square: penalty.l2, towards: None }.add(gradients, tensor)?;
                }
                if let Some(start) = self.start.get(param).and_then(Option::as_ref) {
                    Pull { absolute: 0.0, square: penalty.to_start, towards: Some(start) }.add(gradients, tensor)?;
                }
            }
            if let Some(noise) = &self.noise {
                let key = self.key.with(step).named(&net.graph.params[param].name);
                let values = noise.draw(step, tensor.len(), key);
                gradients.add(tensor, &Tensor::from_vec(tensor.device(), values, tensor.dims())?)?;
            }
        }
        Ok(())
    }

    /// Brings the weights that train in the phase back within their bounds, after a step.
    pub fn bound(&self, phase: &PhasePlan, net: &mut Net<D>) -> Result<()> {
        for &param in phase.groups.iter().flat_map(|group| &group.params) {
            if let Some(bound) = self.by_param.get(param).and_then(|penalty| penalty.max_norm) {
                net.params.get_mut(param).limit_norms(bound)?;
            }
        }
        Ok(())
    }
}
