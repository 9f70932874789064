//! Whether the same trains in a phase of two plans, whose nets need not be the same.

use crate::layers::NormMode;
use crate::net::Graph;
use crate::plan::PhasePlan;
use std::collections::HashMap;

/// What is not the same.
pub struct Difference {
    /// The key of the phase that says it.
    pub key: &'static str,
    /// What it is, in words.
    pub what: String,
}

/// What of the parameters and norms that both nets have is trained in one phase and not in the other. Those
/// of layers that come into a net or leave it do not count.
pub fn difference(old: (&Graph, &PhasePlan), new: (&Graph, &PhasePlan)) -> Option<Difference> {
    let trained = [old, new].map(|(graph, phase)| phase.trainable(graph.params.len()));
    let before: HashMap<&str, usize> = names(old.0.params.iter().map(|param| param.name.as_str()));
    let [mut joining, mut leaving] = [Vec::new(), Vec::new()];
    for (id, param) in new.0.params.iter().enumerate() {
        let Some(&was) = before.get(param.name.as_str()) else { continue };
        match (trained[0][was], trained[1][id]) {
            (false, true) => joining.push(param.name.as_str()),
            (true, false) => leaving.push(param.name.as_str()),
            _ => {}
        }
    }
    for (changed, what) in [(joining, "begin to train"), (leaving, "be frozen")] {
        if let Some(first) = changed.first() {
            let more = if changed.len() > 1 { format!(" and {} more", changed.len() - 1) } else { String::new() };
            return Some(Difference { key: "train", what: format!("`{first}`{more} would {what}") });
        }
    }
    norms_differ(old, new).or_else(|| exits_differ(old.1, new.1))
}

fn norms_differ(old: (&Graph, &PhasePlan), new: (&Graph, &PhasePlan)) -> Option<Difference> {
    let before = names(old.0.nodes.iter().map(|node| node.name.as_str()));
    let mode = |phase: &PhasePlan, node: usize| phase.norms.get(node).copied();
    let (node, now) = new.0.nodes.iter().enumerate().find_map(|(id, node)| {
        let was = mode(old.1, *before.get(node.name.as_str())?)?;
        let now = mode(new.1, id)?;
        (was != now).then_some((node, now))
    })?;
    let what = if now == NormMode::Inference { "be frozen" } else { "follow the batch" };
    Some(Difference { key: "batch_norm", what: format!("the statistics of `{}` would {what}", node.name) })
}

fn exits_differ(old: &PhasePlan, new: &PhasePlan) -> Option<Difference> {
    let what = "passes would end at another head".to_owned();
    (old.exit != new.exit).then_some(Difference { key: "train", what })
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    names.enumerate().map(|(place, name)| (name, place)).collect()
}
