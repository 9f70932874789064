//! The graph of a net: what is known of it before it has values.

use super::schedule::Schedule;
use crate::layers::{AnyLayer, Layer, ParamDef, Shape};
use std::collections::BTreeSet;
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
    /// Names of the parameters of the architecture that are not in the net, as it was cut before them.
    pub cut_off: Vec<String>,
    pub(super) schedule: Schedule,
    /// The net's own schedule, then that of each auxiliary head; none where there are no such heads.
    pub(super) exits: Vec<Schedule>,
}

/// Where passes through a net end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exit {
    /// At the net's own output.
    #[default]
    Output,
    /// At the auxiliary head of this place, counted from 0.
    Auxiliary(usize),
}

/// Where a node's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// How it came into the net.
    pub origin: Origin,
}

/// How a node came into its net.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// As a part of the architecture, or of a list in the spec.
    #[default]
    Designed,
    /// Put between two nodes of the architecture.
    Inserted,
    /// Put in the place of a node of the architecture.
    Replaced,
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
    /// The shape of the output: that of the exit.
    pub fn output(&self) -> Shape {
        self.end().checked_sub(1).and_then(|last| self.nodes.get(last)).map_or(self.input, |node| node.output)
    }

    /// The place after the last node that runs.
    pub fn end(&self) -> NodeId {
        self.schedule.end(self.nodes.len())
    }

    /// Whether passes run the node.
    pub fn runs(&self, node: NodeId) -> bool {
        self.schedule.runs(node)
    }

    /// Whether the net gives back an image like the one that it gets: an autoencoder. Any other net
    /// ends in a vector.
    pub fn reconstructs(&self) -> bool {
        matches!(self.output(), Shape::Image { .. })
    }

    /// The stage of a parameter, as its place in [`Graph::stages`].
    pub fn stage_of(&self, param: ParamId) -> usize {
        self.nodes[self.params[param].node].stage
    }

    /// By node: the nodes that take its output, in order.
    pub fn consumers(&self) -> Vec<Vec<NodeId>> {
        let mut consumers = vec![Vec::new(); self.nodes.len()];
        for (consumer, node) in self.nodes.iter().enumerate() {
            for input in &node.inputs {
                if let Source::Node(producer) = *input {
                    consumers[producer].push(consumer);
                }
            }
        }
        consumers
    }

    /// The activations that the nodes from `boundary` on take from before it, in order; at the end
    /// of the net, the output.
    pub fn live_at(&self, boundary: NodeId) -> Vec<Source> {
        let before = |source: &Source| match *source {
            Source::Image => true,
            Source::Node(node) => node < boundary,
        };
        let end = self.end();
        let after = self.nodes.iter().enumerate().skip(boundary).filter(|(id, _)| self.runs(*id));
        let mut live: Vec<Source> = after.flat_map(|(_, node)| node.inputs.iter().copied()).filter(before).collect();
        if boundary >= end {
            live.push(end.checked_sub(1).map_or(Source::Image, Source::Node));
        }
        live.sort_unstable();
        live.dedup();
        live
    }

    /// An estimate of the values that stay in memory until backward, for one sample, when the nodes
    /// from `boundary` on are recorded. An activation that several nodes keep counts once; so do a
    /// layer's output and that of the activation that runs within it.
    pub fn kept_for_backward(&self, boundary: NodeId) -> usize {
        let mut kept = BTreeSet::new();
        let mut extra = 0;
        for (id, node) in self.nodes.iter().enumerate().skip(boundary).filter(|(id, _)| self.runs(*id)) {
            let inputs: Vec<Shape> = node.inputs.iter().map(|&input| self.shape_of(input)).collect();
            let of_node = node.layer.kept_for_backward(&inputs, node.output);
            if of_node.inputs {
                kept.extend(node.inputs.iter().map(|&input| self.schedule.storage(input)));
            }
            if of_node.output {
                kept.insert(self.schedule.storage(Source::Node(id)));
            }
            extra += of_node.extra;
        }
        extra + kept.into_iter().map(|source| self.shape_of(source).count()).sum::<usize>()
    }

    /// The node of this name.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// The node whose parameter this name is, or would be: that of the longest name before a dot.
    pub fn owner_of(&self, param: &str) -> Option<&Node> {
        let owns = |node: &&Node| param.strip_prefix(&node.name).is_some_and(|rest| rest.starts_with('.'));
        self.nodes.iter().filter(owns).max_by_key(|node| node.name.len())
    }

    /// The name of what is at `source`: a node's, or `image`.
    pub fn name_of(&self, source: Source) -> &str {
        match source {
            Source::Image => "image",
            Source::Node(node) => self.nodes.get(node).map_or("?", |node| &node.name),
        }
    }

    /// The shape of one sample at `source`.
    pub fn shape_of(&self, source: Source) -> Shape {
        match source {
            Source::Image => self.input,
            Source::Node(node) => self.nodes[node].output,
        }
    }

    /// The parameters and buffers of a stage.
    pub fn params_of(&self, stage: usize) -> Range<ParamId> {
        let nodes = &self.nodes[self.stages[stage].nodes.clone()];
        match (nodes.first(), nodes.last()) {
            (Some(first), Some(last)) => first.params.start..last.params.end,
            _ => 0..0,
        }
    }

    /// How many values the parameters of a stage have, buffers not counted.
    pub fn param_count(&self, stage: usize) -> usize {
        self.params[self.params_of(stage)]
            .iter()
            .filter(|param| !param.def.role.is_buffer())
            .map(|param| param.def.count())
            .sum()
    }

    /// Multiply-adds of a stage for one sample.
    pub fn multiply_adds(&self, stage: usize) -> u64 {
        let nodes = &self.nodes[self.stages[stage].nodes.clone()];
        nodes.iter().fold(0, |sum, node| sum.saturating_add(node.multiply_adds))
    }
}
