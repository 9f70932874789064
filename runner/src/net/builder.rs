//! Builds a graph layer by layer, checking shapes.

use super::graph::{Graph, Node, Origin, Param, Source, Stage};
use super::schedule::Schedule;
use crate::layers::{AnyLayer, Layer, Layout, ParamDef, Shape};

/// The most values of a parameter: far above any real one, so that sums do not overflow.
const MAX_VALUES: usize = 1 << 40;

/// A layer does not fit where it was put.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{node}` ({layer}) does not fit its input of {inputs}: {reason}")]
pub struct BuildError {
    /// The node's name.
    pub node: String,
    /// The layer's name, as YAML has it.
    pub layer: String,
    /// The inputs' shapes, as a person reads them.
    pub inputs: String,
    /// Why not.
    pub reason: String,
}

/// Builds a [`Graph`].
#[derive(Debug)]
pub struct Builder {
    graph: Graph,
    /// By node: the image whose values it holds as one vector.
    flattened: Vec<Option<Shape>>,
}

impl Builder {
    /// A net without layers over images of this shape.
    pub fn new(input: Shape) -> Self {
        let graph = Graph {
            input,
            nodes: Vec::new(),
            stages: Vec::new(),
            params: Vec::new(),
            cut_off: Vec::new(),
            schedule: Schedule::default(),
            exits: Vec::new(),
        };
        Builder { graph, flattened: Vec::new() }
    }

    /// A net to which more is added.
    pub(super) fn over(graph: Graph) -> Self {
        let flattened = vec![None; graph.nodes.len()];
        Builder { graph, flattened }
    }

    /// The graph as it is, its schedule left alone.
    pub(super) fn into_graph(self) -> Graph {
        self.graph
    }

    /// Begins a stage: nodes added from here on belong to it.
    pub fn stage(&mut self, name: impl Into<String>) {
        let begin = self.graph.nodes.len();
        self.graph.stages.push(Stage { name: name.into(), nodes: begin..begin });
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
    ///
    /// Nodes that are added before any stage has begun belong to a stage `net`.
    pub fn join(
        &mut self,
        name: impl Into<String>,
        layer: impl Into<AnyLayer>,
        inputs: &[Source],
    ) -> Result<Source, BuildError> {
        let (name, layer) = (name.into(), layer.into());
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let error = |reason| BuildError {
            node: name.clone(),
            layer: layer.name().to_owned(),
            inputs: shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(", "),
            reason,
        };
        let output = self.check(&name, &layer, inputs, &shapes).map_err(error)?;
        let params = self.params(&layer, inputs, &shapes);
        if params.iter().any(|param| param.count() > MAX_VALUES) {
            return Err(error(format!("a tensor of more than {MAX_VALUES} values is more than there can be")));
        }
        if self.graph.stages.is_empty() {
            self.stage("net");
        }
        let node = self.graph.nodes.len();
        let first_param = self.graph.params.len();
        for def in params {
            self.graph.params.push(Param { name: format!("{name}.{}", def.name), def, node });
        }
        self.flattened.push(self.flattening(&layer, inputs, &shapes));
        self.graph.nodes.push(Node {
            multiply_adds: layer.multiply_adds(&shapes, output),
            name,
            layer,
            inputs: inputs.to_vec(),
            output,
            params: first_param..self.graph.params.len(),
            stage: self.graph.stages.len() - 1,
            origin: Origin::default(),
        });
        if let Some(stage) = self.graph.stages.last_mut() {
            stage.nodes.end = node + 1;
        }
        Ok(Source::Node(node))
    }

    /// The shape at a place in the graph.
    pub fn shape(&self, at: Source) -> Shape {
        match at {
            Source::Image => self.graph.input,
            Source::Node(node) => self.graph.nodes[node].output,
        }
    }

    /// Puts `prefix` before all names so far: of stages, nodes and parameters.
    pub fn prefix(&mut self, prefix: &str) {
        let Graph { stages, nodes, params, .. } = &mut self.graph;
        let names = stages.iter_mut().map(|stage| &mut stage.name);
        let names = names.chain(nodes.iter_mut().map(|node| &mut node.name));
        for name in names.chain(params.iter_mut().map(|param| &mut param.name)) {
            name.insert_str(0, prefix);
        }
    }

    /// Says how a node came into the net.
    pub(super) fn set_origin(&mut self, of: Source, origin: Origin) {
        if let Source::Node(node) = of
            && let Some(node) = self.graph.nodes.get_mut(node)
        {
            node.origin = origin;
        }
    }

    /// Says which parameters of the architecture are not in the net, as it was cut before them.
    pub fn set_cut_off(&mut self, names: Vec<String>) {
        self.graph.cut_off = names;
    }

    /// The finished graph.
    pub fn finish(mut self) -> Graph {
        self.graph.schedule = Schedule::new(&self.graph, &[]);
        self.graph
    }

    /// The output's shape, or why the layer cannot be put there.
    fn check(&self, name: &str, layer: &AnyLayer, inputs: &[Source], shapes: &[Shape]) -> Result<Shape, String> {
        if self.graph.nodes.iter().any(|node| node.name == name) {
            return Err("another layer has this name".into());
        }
        if inputs.iter().enumerate().any(|(i, input)| inputs[..i].contains(input)) {
            return Err("it takes the same input twice".into());
        }
        let output = layer.output(shapes).map_err(|error| error.to_string())?;
        if output.is_reasonable() {
            Ok(output)
        } else {
            Err(format!("an output of {output} is more than there can be"))
        }
    }

    /// The layer's parameters. A layer knows shapes only; that its vector was an image is known
    /// here.
    fn params(&self, layer: &AnyLayer, inputs: &[Source], shapes: &[Shape]) -> Vec<ParamDef> {
        let mut params = layer.params(shapes);
        let [input] = inputs else { return params };
        if let Some(Shape::Image { height, width, channels }) = self.flattened_at(*input) {
            for param in &mut params {
                if param.layout == Layout::Linear {
                    param.layout = Layout::LinearAfterFlatten { height, width, channels };
                }
            }
        }
        params
    }

    /// The image whose values the layer's output holds as one vector, if it does.
    fn flattening(&self, layer: &AnyLayer, inputs: &[Source], shapes: &[Shape]) -> Option<Shape> {
        let (&first, others) = inputs.split_first()?;
        if let (AnyLayer::Flatten(_), Some(&image @ Shape::Image { .. })) = (layer, shapes.first()) {
            return Some(image);
        }
        let passes = matches!(layer, AnyLayer::Flatten(_)) || layer.is_elementwise();
        let image = self.flattened_at(first).filter(|_| passes)?;
        others.iter().all(|&other| self.flattened_at(other) == Some(image)).then_some(image)
    }

    fn flattened_at(&self, at: Source) -> Option<Shape> {
        match at {
            Source::Image => None,
            Source::Node(node) => self.flattened.get(node).copied().flatten(),
        }
    }
}
