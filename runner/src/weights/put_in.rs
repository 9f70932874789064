//! What a weight file has, and has not, for layers that a spec put into the backbone.

use super::matching::{Matching, in_head, may_be_missing};
use crate::net::{Graph, Node, Origin, ParamId};
use indexmap::IndexMap;
use std::collections::HashSet;

/// Whether a tensor of the file belongs to a layer that was replaced.
pub(super) fn is_of_replaced(name: &str, matching: &Matching, graph: &Graph) -> bool {
    owner(name, matching, graph).is_some_and(|node| node.origin == Origin::Replaced)
}

/// One sentence for each layer whose tensors of the file are `left` over, as it was replaced, and
/// one for each that starts from random values.
pub(super) fn notes(
    matched: &[(ParamId, String)],
    left: Vec<String>,
    matching: &Matching,
    graph: &Graph,
) -> Vec<String> {
    let mut of_layer: IndexMap<&str, Vec<String>> = IndexMap::new();
    for name in left {
        if let Some(node) = owner(&name, matching, graph) {
            of_layer.entry(&node.name).or_default().push(format!("`{name}`"));
        }
    }
    let left = of_layer.iter().map(|(layer, names)| format!("`{layer}` was replaced: unused are {}", names.join(", ")));
    left.chain(random(matched, graph)).collect()
}

fn random<'a>(matched: &[(ParamId, String)], graph: &'a Graph) -> impl Iterator<Item = String> + 'a {
    let matched: HashSet<ParamId> = matched.iter().map(|(param, _)| *param).collect();
    graph.nodes.iter().filter_map(move |node| {
        let random =
            |param: &ParamId| !matched.contains(param) && may_be_missing(graph, *param) && !in_head(graph, *param);
        let names: Vec<&str> =
            node.params.clone().filter(random).map(|param| &graph.params[param].def.name[..]).collect();
        (!names.is_empty())
            .then(|| format!("`{}` is not in the file, and starts anew: {}", node.name, names.join(", ")))
    })
}

/// The layer that a tensor of the file belongs to.
fn owner<'a>(name: &str, matching: &Matching, graph: &'a Graph) -> Option<&'a Node> {
    let ours = matching.stored.get(name).and_then(|stored| stored.ours.as_deref());
    graph.owner_of(ours.unwrap_or(name))
}
