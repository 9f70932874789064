//! A phase of the plan, and which parameters train in it.

use crate::layers::NormMode;
use crate::net::{NodeId, ParamId};

/// A phase, resolved. What trains in it is a function of this alone.
#[derive(Debug, Clone)]
pub struct PhasePlan {
    /// The phase's name.
    pub name: String,
    /// How many epochs it lasts.
    pub epochs: usize,
    /// The groups that train. Every parameter that trains is in exactly one.
    pub groups: Vec<Group>,
    /// What batch norm does, by node.
    pub norms: Vec<NormMode>,
    /// The first node that is not part of the frozen prefix: the boundary.
    pub boundary: NodeId,
    /// Which tensors may not change: all but those that train and the statistics that follow the
    /// batch. By parameter.
    pub frozen: Vec<bool>,
}

/// Parameters that train together.
#[derive(Debug, Clone)]
pub struct Group {
    /// The pattern that made it: `head`, `blocks.13-15`.
    pub name: String,
    /// Its parameters, without buffers.
    pub params: Vec<ParamId>,
    /// Its learning rate.
    pub lr: f64,
    /// Its weight decay; `None` is the optimizer's.
    pub weight_decay: Option<f64>,
}

impl PhasePlan {
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
}
