//! The forward pass over a graph.

use super::graph::{Graph, Node, NodeId, ParamId, Source};
use super::params::Params;
use super::schedule::Followed;
use crate::engine::{Activation, Kernels, Tape, Tensor};
use crate::layers::{AnyLayer, BatchNorm, Conv2d, Layer, LayerError, NormMode, Pass};
use crate::random::{Key, Purpose};
use crate::ranks::Ranks;
use std::ops::Range;

/// How one forward pass runs.
pub struct Forward<'a, D: Kernels> {
    /// Where operations are recorded; [`Tape::off`] for evaluation.
    pub tape: &'a mut Tape<D>,
    /// Whether random layers act.
    pub training: bool,
    /// What batch norm does, by node; empty means inference everywhere.
    pub norms: &'a [NormMode],
    /// The key of (seed, epoch) for random layers.
    pub key: Key,
    /// Identifies each sample of the batch.
    pub samples: &'a [u64],
    /// The ranks that share the rows of the batch, where they do: batch norm joins what they find.
    pub joined: Option<&'a Ranks>,
}

impl<'a, D: Kernels> Forward<'a, D> {
    /// By inference statistics, and without random layers.
    pub fn evaluation(tape: &'a mut Tape<D>, samples: &'a [u64]) -> Self {
        Forward { tape, training: false, norms: &[], key: Key::new(0, Purpose::Layer), samples, joined: None }
    }
}

/// A graph and the values of its parameters.
#[derive(Debug, Clone)]
pub struct Net<D: Kernels> {
    /// The layers.
    pub graph: Graph,
    /// Their values.
    pub params: Params<D>,
}

/// What a forward pass gives.
pub struct Output<D: Kernels> {
    /// The last node's output.
    pub logits: Tensor<D>,
    /// New values of buffers (running statistics), to be stored once the step is accepted.
    pub buffers: Vec<(ParamId, Tensor<D>)>,
}

/// Activations over a batch, by where they come from.
pub type Activations<D> = Vec<(Source, Tensor<D>)>;

/// What a part of a forward pass gives.
pub struct Part<D: Kernels> {
    /// What the nodes after the part need: the activations of [`Graph::live_at`], in that order.
    pub live: Activations<D>,
    /// New values of buffers (running statistics), to be stored once the step is accepted.
    pub buffers: Vec<(ParamId, Tensor<D>)>,
}

impl<D: Kernels> Net<D> {
    /// Runs a batch of images (N, H, W, C) through all nodes that lead to the graph's exit.
    ///
    /// An activation is dropped as soon as its last consumer has run, unless the tape holds it.
    pub fn forward(&self, images: &Tensor<D>, run: Forward<'_, D>) -> Result<Output<D>, (NodeId, LayerError)> {
        self.forward_from(0, vec![(Source::Image, images.clone())], run)
    }

    /// Runs all nodes from `first` on that lead to the graph's exit, from the activations that
    /// [`Graph::live_at`] names for it.
    pub fn forward_from(
        &self,
        first: NodeId,
        given: Activations<D>,
        run: Forward<'_, D>,
    ) -> Result<Output<D>, (NodeId, LayerError)> {
        let end = self.graph.end();
        let part = self.forward_range(first..end, given, run)?;
        let logits = part.live.into_iter().next().map(|(_, logits)| logits);
        let logits = logits.ok_or_else(|| (end, LayerError::Shape("the net has no output".into())))?;
        Ok(Output { logits, buffers: part.buffers })
    }

    /// Runs a part of the net, from the activations that [`Graph::live_at`] names for its begin, to
    /// those that it names for its end.
    ///
    /// So a pass may be cut at a boundary: `forward_range(0..b, images)`, then
    /// `forward_range(b..end, part.live)` is `forward(images)`, to the last bit.
    pub fn forward_range(
        &self,
        nodes: Range<NodeId>,
        given: Activations<D>,
        run: Forward<'_, D>,
    ) -> Result<Part<D>, (NodeId, LayerError)> {
        let Forward { tape, training, norms, key, samples, joined } = run;
        let mut walk = Walk::new(self, nodes, given);
        let (norm, updates) = (NormMode::Inference, Vec::new());
        let mut pass = Pass { tape, training, norm, key, samples, joined, activation: None, node: 0, updates };
        for node in walk.nodes.clone().filter(|&node| self.graph.runs(node)) {
            pass.norm = norms.get(node).copied().unwrap_or(NormMode::Inference);
            walk.step(node, norms, &mut pass).map_err(|error| (node, error))?;
        }
        walk.finish()
    }
}

/// An error if a node's output does not have the shape that was planned: what a plugin says of its
/// layer's shape may change.
fn planned<D: Kernels>(node: &Node, output: &Tensor<D>) -> Result<(), LayerError> {
    let (planned, given) = (node.output.dims(), output.dims().get(1..).unwrap_or_default());
    if planned == given {
        return Ok(());
    }
    let layer = node.layer.name();
    let whose = node.layer.plugin().map_or_else(String::new, |plugin| format!(" of plugin `{plugin}`"));
    Err(LayerError::Shape(format!("`{layer}`{whose} gave an output of {given:?}, and {planned:?} was planned")))
}

/// A forward pass on its way.
struct Walk<'a, D: Kernels> {
    net: &'a Net<D>,
    nodes: Range<NodeId>,
    image: Option<Tensor<D>>,
    outputs: Vec<Option<Tensor<D>>>,
    /// By node: where its output is already, as it ran in one pass with a node before it.
    done: Vec<Option<Source>>,
    buffers: Vec<(ParamId, Tensor<D>)>,
}

/// What runs in one pass with a convolution.
struct OnePass<'a, D: Kernels> {
    conv: &'a Conv2d,
    weight: &'a Tensor<D>,
    norm: &'a BatchNorm,
    norm_params: &'a [Tensor<D>],
    residual: Option<Tensor<D>>,
    activation: Option<Activation>,
}

impl<'a, D: Kernels> Walk<'a, D> {
    fn new(net: &'a Net<D>, nodes: Range<NodeId>, given: Activations<D>) -> Self {
        let count = net.graph.nodes.len();
        let nodes = nodes.start.min(count)..nodes.end.min(count);
        let (outputs, done) = (vec![None; count], vec![None; count]);
        let mut walk = Walk { net, nodes, image: None, outputs, done, buffers: Vec::new() };
        for (source, tensor) in given {
            *walk.place(source) = Some(tensor);
        }
        walk
    }

    fn place(&mut self, source: Source) -> &mut Option<Tensor<D>> {
        match source {
            Source::Image => &mut self.image,
            Source::Node(node) => &mut self.outputs[node],
        }
    }

    fn at(&mut self, source: Source) -> Result<Tensor<D>, LayerError> {
        let name = self.net.graph.name_of(source);
        self.place(source).clone().ok_or_else(|| LayerError::Shape(format!("it lacks the output of `{name}`")))
    }

    /// The activation that runs within `node`, where both are in the part that runs.
    fn fused(&self, node: NodeId) -> Option<Activation> {
        let (activation_node, activation) = self.net.graph.schedule.fused(node)?;
        self.nodes.contains(&activation_node).then_some(activation)
    }

    /// What runs in one pass with node `id` where it is a convolution and no gradient is wanted.
    fn one_pass(
        &mut self,
        id: NodeId,
        norms: &[NormMode],
        tape: &Tape<D>,
    ) -> Result<Option<OnePass<'a, D>>, LayerError> {
        let net = self.net;
        let Some(Followed { norm, sum }) = net.graph.schedule.followed(id) else { return Ok(None) };
        let by_given = norms.get(norm).is_none_or(|mode| *mode == NormMode::Inference);
        let params = |node: NodeId| net.params.tensors().get(net.graph.nodes[node].params.clone());
        let layers = (&net.graph.nodes[id].layer, &net.graph.nodes[norm].layer);
        let (AnyLayer::Conv2d(conv), AnyLayer::BatchNorm(layer)) = layers else { return Ok(None) };
        let (Some([weight]), Some(norm_params)) = (params(id), params(norm)) else { return Ok(None) };
        let input = self.at(net.graph.nodes[id].inputs[0])?;
        let sum = sum.filter(|(sum, _)| self.nodes.contains(sum));
        let residual = sum.map(|(_, other)| self.at(other)).transpose()?;
        let recorded =
            [weight, &input].into_iter().chain(norm_params).chain(&residual).any(|operand| tape.records(&[operand]));
        if !by_given || !self.nodes.contains(&norm) || recorded {
            return Ok(None);
        }
        self.done[norm] = Some(Source::Node(id));
        if let Some((sum, _)) = sum {
            self.done[sum] = Some(Source::Node(norm));
        }
        let activation = self.fused(sum.map_or(norm, |(sum, _)| sum));
        Ok(Some(OnePass { conv, weight, norm: layer, norm_params, residual, activation }))
    }

    fn step(&mut self, id: NodeId, norms: &[NormMode], pass: &mut Pass<D>) -> Result<(), LayerError> {
        let node = &self.net.graph.nodes[id];
        let one_pass = self.one_pass(id, norms, pass.tape)?;
        let done = self.done[id].map(|source| self.at(source)).transpose()?;
        let inputs = node.inputs.iter().map(|&input| self.at(input)).collect::<Result<Vec<_>, _>>()?;
        for &input in &node.inputs {
            self.release(input, id);
        }
        let absorbed = self.net.graph.schedule.absorbed(id).is_some_and(|within| self.nodes.contains(&within));
        let output = if done.is_some() {
            done
        } else if absorbed {
            inputs.into_iter().next()
        } else if let Some(OnePass { conv, weight, norm, norm_params, residual, activation }) = one_pass {
            pass.activation = activation;
            let output = conv.forward_with_norm(&inputs, weight, norm, norm_params, residual.as_ref(), pass)?;
            planned(node, &output)?;
            Some(output)
        } else {
            pass.node = id as u64;
            pass.tape.enter(id);
            pass.activation = self.fused(id);
            let params = self.net.params.tensors().get(node.params.clone());
            let params = params.ok_or_else(|| LayerError::Shape("its parameters have no values".into()))?;
            let output = node.layer.forward(&inputs, params, pass)?;
            planned(node, &output)?;
            Some(output)
        };
        self.outputs[id] = output;
        self.buffers.extend(pass.updates.drain(..).map(|(place, tensor)| (node.params.start + place, tensor)));
        Ok(())
    }

    /// Drops the activation at `source` if `node` is its last consumer.
    fn release(&mut self, source: Source, node: NodeId) {
        if self.net.graph.schedule.until(source) == Some(node) {
            *self.place(source) = None;
        }
    }

    fn finish(mut self) -> Result<Part<D>, (NodeId, LayerError)> {
        let end = self.nodes.end;
        let live = self.net.graph.live_at(end).into_iter().map(|source| Ok((source, self.at(source)?)));
        let live = live.collect::<Result<_, LayerError>>().map_err(|error| (end, error))?;
        Ok(Part { live, buffers: self.buffers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Cpu, KernelSet};
    use crate::layers::{AnyLayer, Flatten, Shape};
    use crate::net::{Builder, sequential};

    #[test]
    fn an_activation_is_dropped_after_its_last_consumer() {
        let list: Vec<AnyLayer> = vec![Flatten {}.into(); 4];
        let mut builder = Builder::new(Shape::Features(2));
        sequential::layers(&mut builder, &list, Source::Image).unwrap();
        let net = Net { graph: builder.finish(), params: Params::new(Vec::new()) };
        let images = Tensor::from_vec(&Cpu::default(), vec![1.0, 2.0], &[1, 2]).unwrap();
        let mut walk = Walk::new(&net, 0..4, vec![(Source::Image, images)]);
        let mut tape = Tape::off(KernelSet::Fast);
        let mut pass = Pass {
            tape: &mut tape,
            training: false,
            norm: NormMode::Inference,
            key: Key::new(0, Purpose::Layer),
            samples: &[0],
            joined: None,
            activation: None,
            node: 0,
            updates: Vec::new(),
        };
        for node in 0..4 {
            walk.step(node, &[], &mut pass).unwrap();
            let held = walk.outputs.iter().flatten().count() + walk.image.iter().count();
            assert_eq!((held, walk.outputs[node].is_some()), (1, true), "after node {node}");
        }
    }
}
