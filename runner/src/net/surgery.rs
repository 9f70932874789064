//! Layers put between those of a net, or in the place of some: the net is built anew with them.

use super::builder::{BuildError, Builder};
use super::graph::{Graph, NodeId, Origin, Source};
use crate::layers::{AnyLayer, Layer, Shape};
use std::collections::HashSet;

#[cfg(test)]
mod tests;

/// A layer that is put into a net.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// The layer.
    pub layer: AnyLayer,
}

/// Where a layer is put. Nodes are those of the net as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Behind a node, whose consumers all take the new layer's output instead. It belongs to the
    /// node's stage.
    After {
        /// The node that it follows.
        node: NodeId,
        /// The new node is named `PREFIX.LAYER`, and `PREFIX.LAYER.2` where that name is taken.
        prefix: String,
    },
    /// In the place of a node, whose name and inputs it keeps.
    InPlaceOf(NodeId),
}

/// A net that was built anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// What stands for the output.
    pub output: Source,
    /// The last change that gave an activation on the way to the output another shape.
    pub reshaped_by: Option<usize>,
}

/// A layer of the net that is built anew does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Misfit {
    /// What brought it about.
    pub cause: Cause,
    /// What does not fit.
    pub error: BuildError,
}

/// What brought a misfit about; changes are told by their places in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The layer of this change does not fit where it was put.
    Layer(usize),
    /// A layer after this change does not fit the shape that the change gives it.
    Change(usize),
    /// No change has to do with it.
    Input,
}

/// Adds the stages and nodes of `graph` to an empty net, with the changes made. Shapes are those
/// that follow from the images of `net`, which may be of another size than those of `graph`.
///
/// Several layers after one node stand in the order of the list. Of several in the place of one
/// node the last counts.
pub fn rebuild(graph: &Graph, changes: &[Change], net: &mut Builder) -> Result<Rebuilt, Misfit> {
    let mut rebuild = Rebuild { graph, changes, names: names(graph, changes), net, built: Vec::new() };
    for stage in &graph.stages {
        rebuild.net.stage(stage.name.clone());
        for id in stage.nodes.clone() {
            let at = rebuild.node(id)?;
            let at = rebuild.inserted(id, at)?;
            rebuild.built.push(at);
        }
    }
    let last = rebuild.built.last().copied().unwrap_or(At::IMAGE);
    Ok(Rebuilt { output: last.source, reshaped_by: last.reshaped.map(|(_, change)| change) })
}

/// What stands for the output of a node.
#[derive(Clone, Copy)]
struct At {
    source: Source,
    /// The last node before it, or it itself, that a change gave another shape, and the change.
    reshaped: Option<(Source, usize)>,
}

impl At {
    const IMAGE: At = At { source: Source::Image, reshaped: None };
}

struct Rebuild<'a> {
    graph: &'a Graph,
    changes: &'a [Change],
    /// By change: the name of its node.
    names: Vec<String>,
    net: &'a mut Builder,
    /// By node of `graph`: what stands for its output.
    built: Vec<At>,
}

impl Rebuild<'_> {
    /// Adds a node of the graph, or what is in its place.
    fn node(&mut self, id: NodeId) -> Result<At, Misfit> {
        let node = &self.graph.nodes[id];
        let inputs: Vec<At> = node.inputs.iter().map(|&input| self.at(input)).collect();
        let reshaped = inputs.iter().filter_map(|input| input.reshaped).max();
        let sources: Vec<Source> = inputs.iter().map(|input| input.source).collect();
        let replacing = |change: &Change| change.place == Place::InPlaceOf(id);
        let Some(change) = self.changes.iter().rposition(replacing) else {
            let cause = reshaped.map_or(Cause::Input, |(_, change)| Cause::Change(change));
            let added = self.net.join(node.name.as_str(), node.layer.clone(), &sources);
            return Ok(At { source: added.map_err(|error| Misfit { cause, error })?, reshaped });
        };
        let source = self.add(change, &sources, Origin::Replaced)?;
        let shapes: Vec<Shape> = sources.iter().map(|&input| self.net.shape(input)).collect();
        let same = node.layer.output(&shapes).is_ok_and(|before| before == self.net.shape(source));
        Ok(At { source, reshaped: if same { reshaped } else { Some((source, change)) } })
    }

    /// Adds the layers that follow a node.
    fn inserted(&mut self, id: NodeId, mut at: At) -> Result<At, Misfit> {
        for (number, change) in self.changes.iter().enumerate() {
            if matches!(change.place, Place::After { node, .. } if node == id) {
                let source = self.add(number, &[at.source], Origin::Inserted)?;
                let same = self.net.shape(source) == self.net.shape(at.source);
                at = At { source, reshaped: if same { at.reshaped } else { Some((source, number)) } };
            }
        }
        Ok(at)
    }

    /// Adds the layer of a change.
    fn add(&mut self, change: usize, inputs: &[Source], origin: Origin) -> Result<Source, Misfit> {
        let added = self.net.join(self.names[change].as_str(), self.changes[change].layer.clone(), inputs);
        let source = added.map_err(|error| Misfit { cause: Cause::Layer(change), error })?;
        self.net.set_origin(source, origin);
        Ok(source)
    }

    fn at(&self, source: Source) -> At {
        match source {
            Source::Image => At::IMAGE,
            Source::Node(node) => self.built[node],
        }
    }
}

/// By change: the name of its node.
fn names(graph: &Graph, changes: &[Change]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(changes.len());
    let mut taken: HashSet<String> = graph.nodes.iter().map(|node| node.name.clone()).collect();
    for change in changes {
        let name = match &change.place {
            Place::InPlaceOf(node) => graph.nodes[*node].name.clone(),
            Place::After { prefix, .. } => {
                let name = free(&format!("{prefix}.{}", change.layer.name()), graph, &taken);
                taken.insert(name.clone());
                name
            }
        };
        names.push(name);
    }
    names
}

/// `name`, or the first of `name.2`, `name.3`, ... that neither a node has nor the parameters of
/// one begin with.
fn free(name: &str, graph: &Graph, taken: &HashSet<String>) -> String {
    let is_free = |name: &str| {
        let within = |param: &str| param.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        !taken.contains(name) && !graph.params.iter().any(|param| within(&param.name))
    };
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !is_free(&candidate) {
        candidate = format!("{name}.{number}");
        number += 1;
    }
    candidate
}
