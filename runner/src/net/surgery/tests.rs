#![allow(clippy::unwrap_used)]

use super::*;
use crate::layers::{Add, BatchNorm, Concat, Conv2d, Dropout, GlobalAvgPool, Linear, MaxPool, Relu, SqueezeExcite};

fn image(height: usize, width: usize, channels: usize) -> Shape {
    Shape::Image { height, width, channels }
}

/// A residual net over images of this side.
///
/// stem: 0 conv, 1 relu; block: 2 conv, 3 norm, 4 add(1), 5 relu; top: 6 conv.
fn residual(side: usize) -> Graph {
    let mut net = Builder::new(image(side, side, 2));
    net.stage("stem");
    let x = net.add("conv", Conv2d::new(4, 3).padding(1), Source::Image).unwrap();
    let stem = net.add("relu", Relu {}, x).unwrap();
    net.stage("block");
    let x = net.add("block.conv", Conv2d::new(4, 3).padding(1).without_bias(), stem).unwrap();
    let x = net.add("block.bn", BatchNorm::default(), x).unwrap();
    let x = net.join("block.add", Add::default(), &[x, stem]).unwrap();
    let x = net.add("block.relu", Relu {}, x).unwrap();
    net.stage("top");
    net.add("top.conv", Conv2d::new(3, 3), x).unwrap();
    net.finish()
}

fn after(node: NodeId, prefix: &str, layer: impl Into<AnyLayer>) -> Change {
    Change { place: Place::After { node, prefix: prefix.into() }, layer: layer.into() }
}

fn in_place_of(node: NodeId, layer: impl Into<AnyLayer>) -> Change {
    Change { place: Place::InPlaceOf(node), layer: layer.into() }
}

/// The residual net over 8x8, changed.
fn changed(changes: &[Change]) -> Result<(Graph, Rebuilt), Misfit> {
    let mut net = Builder::new(image(8, 8, 2));
    let rebuilt = rebuild(&residual(20), changes, &mut net)?;
    Ok((net.finish(), rebuilt))
}

fn misfit(changes: &[Change]) -> (Cause, String) {
    let misfit = changed(changes).unwrap_err();
    (misfit.cause, misfit.error.node)
}

fn inputs(graph: &Graph, name: &str) -> Vec<String> {
    let node = &graph.nodes[graph.node_named(name).unwrap()];
    node.inputs.iter().map(|&input| graph.name_of(input).to_owned()).collect()
}

#[test]
fn without_changes_it_is_the_net_over_other_images() {
    let (graph, rebuilt) = changed(&[]).unwrap();
    assert_eq!(format!("{:?}", graph.nodes), format!("{:?}", residual(8).nodes));
    assert_eq!(graph.stages, residual(8).stages);
    assert_eq!(rebuilt, Rebuilt { output: Source::Node(6), reshaped_by: None });
}

#[test]
fn all_consumers_take_what_was_inserted() {
    let (graph, rebuilt) = changed(&[after(1, "stem", Dropout(0.5))]).unwrap();
    assert_eq!(inputs(&graph, "stem.dropout"), ["relu"]);
    assert_eq!(inputs(&graph, "block.conv"), ["stem.dropout"]);
    assert_eq!(inputs(&graph, "block.add"), ["block.bn", "stem.dropout"]);
    assert_eq!(inputs(&graph, "block.relu"), ["block.add"]);
    let stages: Vec<_> = graph.stages.iter().map(|stage| (stage.name.as_str(), stage.nodes.clone())).collect();
    assert_eq!(stages, [("stem", 0..3), ("block", 3..7), ("top", 7..8)]);
    assert_eq!(rebuilt, Rebuilt { output: Source::Node(7), reshaped_by: None });
}

#[test]
fn what_follows_the_last_layer_is_the_output() {
    let (graph, rebuilt) = changed(&[after(6, "top", GlobalAvgPool {})]).unwrap();
    assert_eq!(rebuilt, Rebuilt { output: Source::Node(7), reshaped_by: Some(0) });
    assert_eq!((graph.output(), graph.nodes[7].stage), (Shape::Features(3), 2));
}

#[test]
fn several_after_one_stand_in_their_order_under_names_of_their_own() {
    let changes = [
        after(5, "block", Dropout(0.1)),
        after(5, "block", Relu {}),
        after(5, "block.relu", Dropout(0.2)),
        after(5, "block", Dropout(0.3)),
        after(5, "block", Conv2d::new(4, 1)),
        after(5, "block", Dropout(0.4)),
    ];
    let (graph, _) = changed(&changes).unwrap();
    let names: Vec<&str> = graph.nodes[6..12].iter().map(|node| node.name.as_str()).collect();
    // The net has a `block.relu` of its own.
    assert_eq!(
        names,
        ["block.dropout", "block.relu.2", "block.relu.dropout", "block.dropout.2", "block.conv2d", "block.dropout.3"]
    );
    assert_eq!(inputs(&graph, "block.conv2d"), ["block.dropout.2"]);
    assert_eq!(inputs(&graph, "top.conv"), ["block.dropout.3"]);
    let params: Vec<&str> = graph.params_of(1).map(|param| graph.params[param].name.as_str()).collect();
    assert_eq!(params[5..], ["block.conv2d.weight", "block.conv2d.bias"]);
    assert!(graph.nodes[6..12].iter().all(|node| node.origin == Origin::Inserted));
    assert!(graph.nodes[..6].iter().all(|node| node.origin == Origin::Designed));
}

#[test]
fn parameters_have_names_of_their_own_too() {
    let mut net = Builder::new(image(8, 8, 4));
    net.stage("block");
    net.add("block.squeeze_excite", SqueezeExcite::new(2), Source::Image).unwrap();
    let graph = net.finish();
    for (prefix, name) in [("block", "block.squeeze_excite.2"), ("block.squeeze_excite", "block.squeeze_excite.relu")] {
        let layer: AnyLayer = if prefix == "block" { SqueezeExcite::new(1).into() } else { Relu {}.into() };
        assert_eq!(names(&graph, &[after(0, prefix, layer)]), [name]);
    }
    let none = HashSet::new();
    assert_eq!(free("block.squeeze_excite.reduce", &graph, &none), "block.squeeze_excite.reduce.2");
    assert_eq!(free("block.squeeze_excite.redu", &graph, &none), "block.squeeze_excite.redu");
}

#[test]
fn what_replaces_a_layer_keeps_its_name_and_inputs() {
    let (graph, rebuilt) =
        changed(&[in_place_of(4, Concat { with: vec![0] }), in_place_of(0, Conv2d::new(4, 1))]).unwrap();
    assert_eq!(inputs(&graph, "block.add"), ["block.bn", "relu"]);
    assert_eq!(graph.nodes[4].output, image(8, 8, 8));
    assert_eq!(graph.params[0].def.dims, [1, 1, 2, 4]);
    assert_eq!(graph.params.last().map(|param| param.name.as_str()), Some("top.conv.bias"));
    let replaced: Vec<NodeId> = (0..7).filter(|&node| graph.nodes[node].origin == Origin::Replaced).collect();
    assert_eq!(replaced, [0, 4]);
    assert_eq!(rebuilt.reshaped_by, Some(0), "the first convolution gives what it gave");
}

#[test]
fn a_layer_may_be_inserted_after_a_replaced_one() {
    let (graph, _) = changed(&[after(5, "block", Dropout(0.1)), in_place_of(5, MaxPool::new(2))]).unwrap();
    assert_eq!(inputs(&graph, "block.dropout"), ["block.relu"]);
    assert_eq!(graph.nodes[graph.node_named("block.dropout").unwrap()].output, image(4, 4, 4));
}

#[test]
fn a_misfit_says_which_change_it_comes_of() {
    // The layer itself.
    assert_eq!(misfit(&[after(0, "conv", Linear::new(3))]), (Cause::Layer(0), "conv.linear".into()));
    assert_eq!(misfit(&[in_place_of(4, Relu {})]), (Cause::Layer(0), "block.add".into()));
    // A later one: the branch halves, the shortcut does not. The dropout has no part in it.
    let changes = [after(2, "block.conv", MaxPool::new(2)), after(3, "block.bn", Dropout(0.1))];
    assert_eq!(misfit(&changes), (Cause::Change(0), "block.add".into()));
    // Of two that gave other shapes the later one.
    let changes = [after(1, "relu", MaxPool::new(2)), after(5, "block", MaxPool::new(2)), in_place_of(3, Dropout(0.1))];
    assert_eq!(misfit(&changes), (Cause::Change(1), "top.conv".into()));
    // None.
    let mut small = Builder::new(image(2, 2, 2));
    let cause = rebuild(&residual(8), &[after(1, "relu", Dropout(0.1))], &mut small).unwrap_err().cause;
    assert_eq!(cause, Cause::Input);
}

#[test]
fn a_net_that_is_too_deep_for_the_image_may_fit_once_changed() {
    let mut small = Builder::new(image(2, 2, 2));
    rebuild(&residual(8), &[in_place_of(6, Conv2d::new(3, 3).padding(1))], &mut small).unwrap();
    assert_eq!(small.finish().output(), image(2, 2, 3));
}
