//! The graph of a net: what is known of it before it has values.

use crate::layers::{AnyLayer, ParamDef, Shape};
use std::ops::Range;

/// The place of a node in [`Graph::nodes`].
pub type NodeId = usize;

/// The place of a parameter in [`Graph::params`].
pub type ParamId = usize;

/// A net as a graph of layers. Nodes are in an order in which they can run; stages are runs of
/// nodes; parameters are in the order of their nodes.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The shape of one image.
    pub input: Shape,
    /// The layers, in an order in which they can run.
    pub nodes: Vec<Node>,
    /// Named runs of nodes, in order; together they cover all nodes.
    pub stages: Vec<Stage>,
    /// All parameters and buffers.
    pub params: Vec<Param>,
}

/// Where a node's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The image.
    Image,
    /// Another node's output.
    Node(NodeId),
}

/// One layer in its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The name, as a weight file has it: `layer1.0.conv1`.
    pub name: String,
    /// What it computes.
    pub layer: AnyLayer,
    /// Where its inputs come from.
    pub inputs: Vec<Source>,
    /// The shape of its output for one sample.
    pub output: Shape,
    /// Multiply-adds for one sample.
    pub multiply_adds: u64,
    /// Its parameters.
    pub params: Range<ParamId>,
    /// Its stage's place in [`Graph::stages`].
    pub stage: usize,
}

/// A named run of nodes: `stem`, `layer1`, `blocks.3`, `head`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The name that patterns in the YAML use.
    pub name: String,
    /// Its nodes.
    pub nodes: Range<NodeId>,
}

/// One parameter or buffer of the net.
#[derive(Debug, Clone)]
pub struct Param {
    /// The full name: `layer1.0.conv1.weight`.
    pub name: String,
    /// Shape, role, layout.
    pub def: ParamDef,
    /// The node it belongs to.
    pub node: NodeId,
}

impl Graph {
    /// The shape of the output.
    pub fn output(&self) -> Shape {
        self.nodes.last().map_or(self.input, |node| node.output)
    }

    /// The stage of a parameter, as its place in [`Graph::stages`].
    pub fn stage_of(&self, param: ParamId) -> usize {
        self.nodes[self.params[param].node].stage
    }
}
