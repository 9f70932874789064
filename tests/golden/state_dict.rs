//! The net's parameters are the tensors of torch's `state_dict`: in order, shape, and, under one of
//! the name maps, name.

use crate::file::Golden;
use runner::layers::AnyLayer;
use runner::net::Graph;
use runner::weights::layout;
use runner::weights::names::{self, NameMap};

/// Holds the net's parameters against the golden file's list, where it has one.
pub fn check(graph: &Graph, golden: &Golden) {
    if golden.tensors.is_empty() {
        return;
    }
    let ours: Vec<_> = graph.params.iter().map(|param| (param.name.clone(), layout::file_dims(&param.def))).collect();
    let linears = linears(graph);
    let theirs = |map: &NameMap| -> Vec<_> {
        golden.tensors.iter().map(|(name, dims)| (rename(map, &linears, name), dims.clone())).collect()
    };
    let maps = names::maps(Some(golden.arch));
    if maps.iter().all(|map| theirs(map) != ours) {
        assert_eq!(ours, theirs(&maps[0]), "{}", golden.arch.name());
    }
}

/// The linear layers of the head, in order.
fn linears(graph: &Graph) -> Vec<&str> {
    let nodes = graph.nodes.iter().filter(|node| matches!(node.layer, AnyLayer::Linear(_)));
    nodes.map(|node| node.name.as_str()).collect()
}

/// Our name of a tensor.
fn rename(map: &NameMap, linears: &[&str], name: &str) -> String {
    let (layer, part) = name.rsplit_once('.').unwrap_or_default();
    match map.classifier.iter().position(|&theirs| theirs == layer) {
        Some(place) => format!("{}.{part}", linears[place]),
        None => map.rename(name).unwrap_or_else(|| name.to_string()),
    }
}
