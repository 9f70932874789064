//! How the nodes of a graph run: decided once a graph, not once a batch.

use super::graph::{Graph, NodeId, Source};
use crate::engine::Activation;
use crate::layers::{AnyLayer, Layer};

/// How the nodes of a graph run.
#[derive(Debug, Clone, Default)]
pub(super) struct Schedule {
    /// By node: whether it runs.
    runs: Vec<bool>,
    /// By node: the node that is nothing but an activation of its output, and that activation. The
    /// two may run as one.
    fused: Vec<Option<(NodeId, Activation)>>,
    /// By node: whether it may run within the one before it.
    absorbed: Vec<Option<NodeId>>,
    /// By node: what may run in one pass with it, where it is a convolution.
    followed: Vec<Option<Followed>>,
    /// The last consumer of the image.
    image_until: Option<NodeId>,
    /// By node: the last consumer of its output.
    until: Vec<Option<NodeId>>,
}

/// What follows a convolution and may run in one pass with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Followed {
    /// The batch normalization.
    pub norm: NodeId,
    /// The sum after it, and its other term, which is there before the convolution.
    pub sum: Option<(NodeId, Source)>,
}

impl Schedule {
    /// How the nodes that lead to `exits` run; all nodes where there are none.
    pub fn new(graph: &Graph, exits: &[NodeId]) -> Self {
        let runs = leading_to(graph, exits);
        let mut consumers = graph.consumers();
        for (of_node, &runs_itself) in consumers.iter_mut().zip(&runs) {
            of_node.retain(|&consumer| runs_itself && runs[consumer]);
        }
        let mut absorbed = vec![None; graph.nodes.len()];
        let mut fused = vec![None; graph.nodes.len()];
        for (id, node) in graph.nodes.iter().enumerate() {
            let [consumer] = consumers[id][..] else { continue };
            if let Some(activation) = graph.nodes[consumer].layer.activation()
                && node.layer.fuses_activation()
            {
                fused[id] = Some((consumer, activation));
                absorbed[consumer] = Some(id);
            }
        }
        let followed = (0..graph.nodes.len()).map(|id| followed(graph, &consumers, &fused, id)).collect();
        let mut nodes = graph.nodes.iter().zip(&runs);
        let reads_image = |(node, runs): (&super::Node, &bool)| *runs && node.inputs.contains(&Source::Image);
        Schedule {
            fused,
            absorbed,
            followed,
            image_until: nodes.rposition(reads_image),
            until: consumers.iter().map(|of_node| of_node.last().copied()).collect(),
            runs,
        }
    }

    /// Whether the node runs.
    pub fn runs(&self, node: NodeId) -> bool {
        self.runs.get(node).copied().unwrap_or(true)
    }

    /// None of the nodes that were added since, up to `count`, run.
    pub fn leave_out_up_to(&mut self, count: usize) {
        self.runs.resize(count.max(self.runs.len()), false);
    }

    /// The place after the last node that runs, of `count` nodes.
    pub fn end(&self, count: usize) -> NodeId {
        (0..count).rev().find(|&node| self.runs(node)).map_or(0, |last| last + 1)
    }

    /// The activation that runs within `node`, and the node that it stands for.
    pub fn fused(&self, node: NodeId) -> Option<(NodeId, Activation)> {
        self.fused.get(node).copied().flatten()
    }

    /// The node within which `node` may run.
    pub fn absorbed(&self, node: NodeId) -> Option<NodeId> {
        self.absorbed.get(node).copied().flatten()
    }

    /// What may run in one pass with the convolution `node`.
    pub fn followed(&self, node: NodeId) -> Option<Followed> {
        self.followed.get(node).copied().flatten()
    }

    /// Where the values at `source` are: with an activation that runs within the node, at the
    /// activation.
    pub fn storage(&self, source: Source) -> Source {
        match source {
            Source::Node(node) => Source::Node(self.fused(node).map_or(node, |(activation, _)| activation)),
            Source::Image => Source::Image,
        }
    }

    /// The last node that takes what is at `source`.
    pub fn until(&self, source: Source) -> Option<NodeId> {
        match source {
            Source::Image => self.image_until,
            Source::Node(node) => self.until.get(node).copied().flatten(),
        }
    }
}

/// What may run in one pass with node `id`: it is a convolution without bias, and nothing but a batch
/// normalization takes its output; nothing but a sum of two takes that one's.
fn followed(
    graph: &Graph,
    consumers: &[Vec<NodeId>],
    fused: &[Option<(NodeId, Activation)>],
    id: NodeId,
) -> Option<Followed> {
    let AnyLayer::Conv2d(conv) = &graph.nodes[id].layer else { return None };
    let [norm] = consumers[id][..] else { return None };
    if conv.bias || !matches!(graph.nodes[norm].layer, AnyLayer::BatchNorm(_)) {
        return None;
    }
    let sum = || {
        let [sum] = consumers[norm][..] else { return None };
        let [a, b] = graph.nodes[sum].inputs[..] else { return None };
        let other = if a == Source::Node(norm) { b } else { a };
        let is_there = match other {
            Source::Image => true,
            Source::Node(node) => node < id,
        };
        let is_sum = matches!(graph.nodes[sum].layer, AnyLayer::Add(_)) && fused[norm].is_none();
        (is_sum && is_there).then_some((sum, other))
    };
    Some(Followed { norm, sum: sum() })
}

/// By node: whether its output is needed for those of `exits`; all are where there are no exits.
fn leading_to(graph: &Graph, exits: &[NodeId]) -> Vec<bool> {
    let mut needed = vec![exits.is_empty(); graph.nodes.len()];
    for &exit in exits {
        needed[exit] = true;
    }
    for id in (0..graph.nodes.len()).rev() {
        if needed[id] {
            for input in &graph.nodes[id].inputs {
                if let Source::Node(producer) = *input {
                    needed[producer] = true;
                }
            }
        }
    }
    needed
}
