//! How the nodes of a graph run: decided once a graph, not once a batch.

use super::graph::{Graph, NodeId, Source};
use crate::engine::Activation;
use crate::layers::Layer;

/// How the nodes of a graph run.
#[derive(Debug, Clone, Default)]
pub(super) struct Schedule {
    /// By node: the node that is nothing but an activation of its output, and that activation. The
    /// two may run as one.
    fused: Vec<Option<(NodeId, Activation)>>,
    /// By node: whether it may run within the one before it.
    absorbed: Vec<Option<NodeId>>,
    /// The last consumer of the image.
    image_until: Option<NodeId>,
    /// By node: the last consumer of its output.
    until: Vec<Option<NodeId>>,
}

impl Schedule {
    pub fn new(graph: &Graph) -> Self {
        let consumers = graph.consumers();
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
        let reads_image = |node: &super::Node| node.inputs.contains(&Source::Image);
        Schedule {
            fused,
            absorbed,
            image_until: graph.nodes.iter().rposition(reads_image),
            until: consumers.iter().map(|of_node| of_node.last().copied()).collect(),
        }
    }

    /// The activation that runs within `node`, and the node that it stands for.
    pub fn fused(&self, node: NodeId) -> Option<(NodeId, Activation)> {
        self.fused.get(node).copied().flatten()
    }

    /// The node within which `node` may run.
    pub fn absorbed(&self, node: NodeId) -> Option<NodeId> {
        self.absorbed.get(node).copied().flatten()
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
