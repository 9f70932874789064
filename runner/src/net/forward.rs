//! The forward pass over a graph.

use super::graph::{Graph, NodeId, ParamId};
use super::params::Params;
use crate::engine::{Kernels, Tape, Tensor};
use crate::layers::{LayerError, NormMode};
use crate::random::Key;

/// How one forward pass runs.
pub struct Forward<'a, D: Kernels> {
    /// Where operations are recorded; [`Tape::off`] for evaluation.
    pub tape: &'a mut Tape<D>,
    /// Whether random layers act.
    pub training: bool,
    /// What batch norm does, by node; empty means inference everywhere.
    pub norms: &'a [NormMode],
    /// The key of (seed, epoch) for random layers.
    pub key: Key,
    /// Identifies each sample of the batch.
    pub samples: &'a [u64],
}

/// A graph and the values of its parameters.
#[derive(Debug, Clone)]
pub struct Net<D: Kernels> {
    /// The layers.
    pub graph: Graph,
    /// Their values.
    pub params: Params<D>,
}

/// What a forward pass gives.
pub struct Output<D: Kernels> {
    /// The last node's output.
    pub logits: Tensor<D>,
    /// New values of buffers (running statistics), to be stored once the step is accepted.
    pub buffers: Vec<(ParamId, Tensor<D>)>,
}

impl<D: Kernels> Net<D> {
    /// Runs a batch of images (N, H, W, C) through all nodes.
    ///
    /// An activation is dropped as soon as its last consumer has run, unless the tape holds it.
    pub fn forward(&self, images: &Tensor<D>, run: Forward<'_, D>) -> Result<Output<D>, (NodeId, LayerError)> {
        let _ = (images, run);
        todo!()
    }
}
