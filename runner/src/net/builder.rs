//! Builds a graph layer by layer, checking shapes.

use super::graph::{Graph, Source};
use crate::layers::{AnyLayer, Shape};

/// A layer does not fit where it was put.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{node}` ({layer}) does not fit its input of {inputs}: {reason}")]
pub struct BuildError {
    /// The node's name.
    pub node: String,
    /// The layer's name, as YAML has it.
    pub layer: &'static str,
    /// The inputs' shapes, as a person reads them.
    pub inputs: String,
    /// Why not.
    pub reason: String,
}

/// Builds a [`Graph`].
#[derive(Debug)]
pub struct Builder {
    graph: Graph,
}

impl Builder {
    /// A net without layers over images of this shape.
    pub fn new(input: Shape) -> Self {
        Builder { graph: Graph { input, nodes: Vec::new(), stages: Vec::new(), params: Vec::new() } }
    }

    /// Begins a stage: nodes added from here on belong to it.
    pub fn stage(&mut self, name: impl Into<String>) {
        let _ = name.into();
        todo!()
    }

    /// Adds a layer over one input.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        layer: impl Into<AnyLayer>,
        input: Source,
    ) -> Result<Source, BuildError> {
        self.join(name, layer, &[input])
    }

    /// Adds a layer over several inputs.
    pub fn join(
        &mut self,
        name: impl Into<String>,
        layer: impl Into<AnyLayer>,
        inputs: &[Source],
    ) -> Result<Source, BuildError> {
        let _ = (name.into(), layer.into(), inputs);
        todo!()
    }

    /// The shape at a place in the graph.
    pub fn shape(&self, at: Source) -> Shape {
        match at {
            Source::Image => self.graph.input,
            Source::Node(node) => self.graph.nodes[node].output,
        }
    }

    /// The finished graph.
    pub fn finish(self) -> Graph {
        self.graph
    }
}
