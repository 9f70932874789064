//! Where a loss that is not a number comes from.

use super::ahead::Ahead;
use super::given::given;
use super::step::StepContext;
use super::{TrainError, pieces};
use crate::data::Batch;
use crate::engine::{EngineError, KernelSet, Kernels, Tape};
use crate::net::{Forward, Net, NodeId, Source};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The first place of a forward pass with a value that is NaN or infinite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotFiniteAt {
    /// The images themselves.
    Images,
    /// A parameter, by its name.
    Parameter(String),
    /// The output of a layer of the runner.
    Layer {
        /// The layer's name in the net.
        node: String,
        /// Its kind.
        layer: String,
    },
    /// The output of a plugin's layer.
    Plugin {
        /// The layer's name in the net.
        node: String,
        /// Its kind.
        layer: String,
        /// The plugin that brings it.
        plugin: String,
    },
    /// No place: when the pass is run again, all is finite up to the loss.
    Nowhere,
}

impl fmt::Display for NotFiniteAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotFiniteAt::Images => f.write_str("first in the images"),
            NotFiniteAt::Parameter(name) => write!(f, "first in the parameter `{name}`"),
            NotFiniteAt::Layer { node, layer } => write!(f, "first in the output of `{node}` ({layer})"),
            NotFiniteAt::Plugin { node, layer, plugin } => {
                write!(f, "first in the output of `{node}` (layer `{layer}` of plugin `{plugin}`)")
            }
            NotFiniteAt::Nowhere => f.write_str("though all outputs of layers are finite when they are computed again"),
        }
    }
}

/// Runs the forward passes of a step again, node by node, and gives the first place that is not finite.
///
/// The step must have changed nothing. Random numbers are counted, so that it is the same pass.
pub fn first<D: Kernels>(context: &StepContext<'_, D>, net: &Net<D>, batch: &Batch) -> Result<NotFiniteAt, TrainError> {
    for piece in pieces::of(batch, context.phase.micro_batch) {
        let place = first_of(context, net, &piece)?;
        if place != NotFiniteAt::Nowhere {
            return Ok(place);
        }
    }
    Ok(NotFiniteAt::Nowhere)
}

fn first_of<D: Kernels>(context: &StepContext<'_, D>, net: &Net<D>, batch: &Batch) -> Result<NotFiniteAt, TrainError> {
    let (begin, mut live) = given(context.device, &net.graph, batch, &mut Ahead::nothing())?;
    for (source, values) in &live {
        if !values.all_finite()? {
            return Ok(match *source {
                Source::Image => NotFiniteAt::Images,
                Source::Node(node) => output_of(net, node),
            });
        }
    }
    for node in (begin..net.graph.end()).filter(|&node| net.graph.runs(node)) {
        if let Some(parameter) = parameter_not_finite(net, node)? {
            return Ok(NotFiniteAt::Parameter(parameter));
        }
        let run = Forward {
            tape: &mut Tape::off(KernelSet::default()),
            training: true,
            norms: &context.phase.norms,
            key: context.key,
            samples: &batch.samples,
            // A rank that found the place does not go on to the next.
            joined: None,
        };
        let part = net.forward_range(node..node + 1, live, run);
        live = part.map_err(|(node, error)| TrainError::layer(net, node, &error))?.live;
        let output = live.iter().find(|(source, _)| *source == Source::Node(node));
        if let Some((_, output)) = output
            && !output.all_finite()?
        {
            return Ok(output_of(net, node));
        }
    }
    Ok(NotFiniteAt::Nowhere)
}

/// The name of a node's first parameter with a value that is not finite.
fn parameter_not_finite<D: Kernels>(net: &Net<D>, node: NodeId) -> Result<Option<String>, EngineError> {
    for param in net.graph.nodes[node].params.clone() {
        if !net.params.get(param).all_finite()? {
            return Ok(Some(net.graph.params[param].name.clone()));
        }
    }
    Ok(None)
}

fn output_of<D: Kernels>(net: &Net<D>, node: NodeId) -> NotFiniteAt {
    let node = &net.graph.nodes[node];
    let (name, layer) = (node.name.clone(), node.layer.name().to_owned());
    match node.layer.plugin() {
        Some(plugin) => NotFiniteAt::Plugin { node: name, layer, plugin: plugin.to_owned() },
        None => NotFiniteAt::Layer { node: name, layer },
    }
}
