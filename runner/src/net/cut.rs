//! A net cut after one of its nodes.

use super::builder::{BuildError, Builder};
use super::graph::{Graph, NodeId, Source};
use std::collections::HashSet;

/// The part of a net that computes the output of `node`: that node, which is its last, and all that it
/// depends on. A stage keeps its name and what is left of it; stages of which nothing is left are gone.
///
/// # Errors
/// Never for a graph that a [`Builder`] made.
pub fn cut(graph: &Graph, node: NodeId) -> Result<Graph, BuildError> {
    let kept = needed(graph, node);
    let mut net = Builder::new(graph.input);
    let mut built: Vec<Source> = vec![Source::Image; graph.nodes.len()];
    for stage in &graph.stages {
        let mut nodes = stage.nodes.clone().filter(|&id| kept[id]).peekable();
        if nodes.peek().is_some() {
            net.stage(stage.name.clone());
        }
        for id in nodes {
            let node = &graph.nodes[id];
            let inputs: Vec<Source> = node.inputs.iter().map(|&input| at(&built, input)).collect();
            built[id] = net.join(node.name.as_str(), node.layer.clone(), &inputs)?;
        }
    }
    let mut cut = net.finish();
    let left: HashSet<&str> = cut.params.iter().map(|param| param.name.as_str()).collect();
    let gone = graph.params.iter().map(|param| &param.name).filter(|name| !left.contains(name.as_str()));
    cut.cut_off = gone.cloned().collect();
    Ok(cut)
}

fn at(built: &[Source], source: Source) -> Source {
    match source {
        Source::Image => Source::Image,
        Source::Node(node) => built[node],
    }
}

/// By node: whether the output of `last` depends on it.
fn needed(graph: &Graph, last: NodeId) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes.len()];
    if let Some(needed) = needed.get_mut(last) {
        *needed = true;
    }
    // Inputs come before the nodes that take them.
    for id in (0..graph.nodes.len()).rev().filter(|&id| id <= last) {
        if needed[id] {
            for input in &graph.nodes[id].inputs {
                if let Source::Node(input) = *input {
                    needed[input] = true;
                }
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbones::Arch;
    use crate::layers::Shape;

    fn arch(arch: Arch) -> Graph {
        let mut net = Builder::new(Shape::Image { height: 96, width: 96, channels: 3 });
        arch.build(&mut net).unwrap();
        net.finish()
    }

    #[test]
    fn the_part_before_a_stage_ends_is_left() {
        let whole = arch(Arch::Resnet18);
        let last = whole.stages[3].nodes.end - 1;
        let cut = cut(&whole, last).unwrap();
        assert_eq!(cut.stages[..], whole.stages[..4]);
        assert_eq!(cut.nodes.len(), last + 1);
        assert_eq!(cut.output(), Shape::Image { height: 6, width: 6, channels: 256 });
        assert_eq!(cut.params.len() + cut.cut_off.len(), whole.params.len());
        assert!(cut.cut_off.iter().all(|name| name.starts_with("layer4.")), "{:?}", cut.cut_off);
    }

    /// Branches beside the node that is tapped compute nothing that it needs.
    #[test]
    fn branches_that_are_not_needed_go() {
        let whole = arch(Arch::InceptionV3);
        let node = whole.node_named("Mixed_5b.branch5x5_2.conv").unwrap();
        let cut = cut(&whole, node).unwrap();
        assert_eq!(cut.nodes.last().map(|node| node.name.as_str()), Some("Mixed_5b.branch5x5_2.conv"));
        assert!(cut.node_named("Mixed_5b.branch5x5_1.conv").is_some());
        assert!(cut.node_named("Mixed_5b.branch1x1.conv").is_none());
        assert_eq!(cut.stages.iter().map(|stage| &stage.name[..]).collect::<Vec<_>>(), ["stem", "mixed_5b"]);
        assert_eq!(cut.live_at(cut.nodes.len()), [Source::Node(cut.nodes.len() - 1)]);
    }
}
