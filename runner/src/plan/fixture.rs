//! Small nets for the plan's tests.

use crate::layers::{AnyLayer, Layout, ParamDef, Relu, Role, Shape};
use crate::net::graph::{Graph, Node, Param, Source, Stage};

/// Height and width of all activations of [`net`].
pub const SIZE: usize = 8;
/// Channels of all activations of [`net`].
pub const CHANNELS: usize = 4;

/// A chain: each stage is a 3x3 convolution (`STAGE.conv.weight`), a batch norm (`STAGE.bn`:
/// weight, bias, running mean and variance) and a ReLU over 8x8x4; the stage `head` is a linear
/// map (`head.weight`, `head.bias`) to two outputs.
pub fn net(stages: &[&str]) -> Graph {
    let input = Shape::Image { height: SIZE, width: SIZE, channels: CHANNELS };
    let mut graph = Graph { input, nodes: Vec::new(), stages: Vec::new(), params: Vec::new() };
    for &stage in stages {
        let first = graph.nodes.len();
        if stage == "head" {
            add(&mut graph, "head", vec![weight(&[input.count(), 2]), bias("bias", 2)], Shape::Features(2));
        } else {
            add(&mut graph, &format!("{stage}.conv"), vec![weight(&[3, 3, CHANNELS, CHANNELS])], input);
            add(&mut graph, &format!("{stage}.bn"), norm(), input);
            add(&mut graph, &format!("{stage}.relu"), Vec::new(), input);
        }
        graph.stages.push(Stage { name: stage.to_owned(), nodes: first..graph.nodes.len() });
    }
    graph
}

/// Appends a node over the last one.
fn add(graph: &mut Graph, name: &str, defs: Vec<ParamDef>, output: Shape) {
    let node = graph.nodes.len();
    let first = graph.params.len();
    let values: usize = defs.iter().filter(|def| def.role == Role::Weight).map(ParamDef::count).sum();
    for def in defs {
        graph.params.push(Param { name: format!("{name}.{}", def.name), def, node });
    }
    graph.nodes.push(Node {
        name: name.to_owned(),
        layer: AnyLayer::from(Relu {}),
        inputs: vec![node.checked_sub(1).map_or(Source::Image, Source::Node)],
        output,
        multiply_adds: values as u64,
        params: first..graph.params.len(),
        stage: graph.stages.len(),
    });
}

fn weight(dims: &[usize]) -> ParamDef {
    ParamDef { name: "weight", dims: dims.to_vec(), role: Role::Weight, layout: Layout::Plain, fans: (1, 1) }
}

fn bias(name: &'static str, len: usize) -> ParamDef {
    ParamDef::vector(name, len, Role::Bias)
}

fn norm() -> Vec<ParamDef> {
    vec![
        ParamDef::vector("weight", CHANNELS, Role::Scale),
        ParamDef::vector("bias", CHANNELS, Role::Shift),
        ParamDef::vector("running_mean", CHANNELS, Role::RunningMean),
        ParamDef::vector("running_var", CHANNELS, Role::RunningVariance),
    ]
}
