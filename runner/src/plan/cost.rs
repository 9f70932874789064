//! What a net costs: parameters, multiply-adds, and an estimate of the peak of memory.

use super::PhasePlan;
use crate::layers::Shape;
use crate::net::graph::{Graph, NodeId, Source, Stage};
use crate::optim::Optimizer;
use std::collections::BTreeSet;

/// All values are float32.
const BYTES: u64 = 4;

/// What a stage costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCost {
    /// The shape of its output for one sample.
    pub output: Shape,
    /// Its parameters' values, running statistics apart.
    pub parameters: u64,
    /// Multiply-adds of the forward pass for one sample.
    pub multiply_adds: u64,
}

/// What a stage costs.
pub fn stage(graph: &Graph, stage: &Stage) -> StageCost {
    let nodes = graph.nodes.get(stage.nodes.clone()).unwrap_or_default();
    let params = nodes.iter().flat_map(|node| graph.params.get(node.params.clone()).unwrap_or_default());
    StageCost {
        output: nodes.last().map_or(graph.input, |node| node.output),
        parameters: params.filter(|param| !param.def.role.is_buffer()).map(|param| param.def.count() as u64).sum(),
        multiply_adds: nodes.iter().map(|node| node.multiply_adds).sum(),
    }
}

/// An estimate of the most memory that a phase holds at once, in bytes.
///
/// It counts what grows with the net and the batch, each output of a node as one float32 tensor,
/// and leaves out what does not: the program itself, decoded images on their way, scratch space of
/// the kernels. Activations that share a buffer (an in-place activation function) are counted
/// apart, so for the net itself it is rather too high than too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// All parameters and buffers.
    pub parameters: u64,
    /// A gradient for each value that trains.
    pub gradients: u64,
    /// What the optimizer keeps for each value that trains: two moments (`adamw`), or a velocity
    /// (`sgd` with momentum).
    pub optimizer: u64,
    /// Activations at the worst moment, which is the largest of two:
    /// - a forward pass without a tape (the frozen prefix; all of the net when evaluating), where an
    ///   activation lives until its last consumer has run;
    /// - the start of backward: all that crosses the boundary, all outputs from the boundary on, and
    ///   the gradients of one node's output and inputs.
    pub activations: u64,
}

impl Memory {
    /// The estimate for a phase with batches of `batch` samples.
    pub fn of(graph: &Graph, phase: &PhasePlan, batch: usize, optimizer: &Optimizer) -> Memory {
        let trainable = phase.trainable_values(graph) as u64;
        let kept = match optimizer {
            Optimizer::AdamW(_) => 2,
            Optimizer::Sgd(sgd) if sgd.momentum == 0.0 => 0,
            Optimizer::Sgd(_) => 1,
        };
        let activations = forward_peak(graph).max(backward_peak(graph, phase.boundary));
        Memory {
            parameters: BYTES * graph.params.iter().map(|param| param.def.count() as u64).sum::<u64>(),
            gradients: BYTES * trainable,
            optimizer: BYTES * trainable * kept,
            activations: BYTES * batch as u64 * activations,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.parameters + self.gradients + self.optimizer + self.activations
    }
}

/// Values a sample at the worst moment of a forward pass without a tape.
fn forward_peak(graph: &Graph) -> u64 {
    let mut last_use = vec![0; graph.nodes.len()];
    let mut image_last = 0;
    for (node, layer) in graph.nodes.iter().enumerate() {
        last_use[node] = node;
        for &input in &layer.inputs {
            match input {
                Source::Image => image_last = node,
                Source::Node(source) => last_use[source] = node,
            }
        }
    }
    let mut dying: Vec<Vec<u64>> = vec![Vec::new(); graph.nodes.len()];
    for (node, &last) in last_use.iter().enumerate() {
        dying[last].push(values(graph, Source::Node(node)));
    }
    if let Some(dying) = dying.get_mut(image_last) {
        dying.push(values(graph, Source::Image));
    }
    let mut live = values(graph, Source::Image);
    let mut peak = live;
    for (node, dying) in dying.iter().enumerate() {
        live += values(graph, Source::Node(node));
        peak = peak.max(live);
        live -= dying.iter().sum::<u64>();
    }
    peak
}

/// Values a sample at the start of backward.
fn backward_peak(graph: &Graph, boundary: NodeId) -> u64 {
    let taped = graph.nodes.get(boundary..).unwrap_or_default();
    let crosses = |source: &Source| !matches!(source, Source::Node(node) if *node >= boundary);
    let crossing: BTreeSet<Source> =
        taped.iter().flat_map(|node| node.inputs.iter().copied()).filter(crosses).collect();
    let crossing: u64 = crossing.into_iter().map(|source| values(graph, source)).sum();
    let outputs: u64 = taped.iter().map(|node| node.output.count() as u64).sum();
    let gradients = taped.iter().map(|node| {
        let inputs = node.inputs.iter().filter(|input| !crosses(input));
        node.output.count() as u64 + inputs.map(|&input| values(graph, input)).sum::<u64>()
    });
    crossing + outputs + gradients.max().unwrap_or_default()
}

fn values(graph: &Graph, source: Source) -> u64 {
    let shape = match source {
        Source::Image => Some(graph.input),
        Source::Node(node) => graph.nodes.get(node).map(|node| node.output),
    };
    shape.map_or(0, |shape| shape.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{AdamW, Sgd};
    use crate::plan::expand::expand;
    use crate::plan::fixture;
    use crate::spec::Problems;

    fn phase(graph: &Graph, train: &str) -> PhasePlan {
        let yaml = format!("phases: [{{ name: a, epochs: 1, lr: 1, train: {train} }}]");
        let mut problems = Problems::default();
        let phase = PhasePlan::resolve(&expand(&serde_yaml::from_str(&yaml).unwrap())[0], graph, &mut problems);
        problems.or(phase).unwrap()
    }

    #[test]
    fn a_stage_costs_the_sum_of_its_nodes() {
        let graph = fixture::net(&["stem", "head"]);
        let stem = stage(&graph, &graph.stages[0]);
        // A 3x3 convolution from 4 to 4 channels, a scale and a shift.
        assert_eq!(stem.parameters, 3 * 3 * 4 * 4 + 4 + 4);
        assert_eq!(stem.multiply_adds, 144);
        assert_eq!(stem.output.to_string(), "8x8x4");
        assert_eq!(stage(&graph, &graph.stages[1]).parameters, 256 * 2 + 2);
    }

    #[test]
    fn memory_is_what_one_counts_by_hand() {
        // Activations of 8x8x4 = 256 values; per stage conv, norm, relu; the head gives 2.
        let graph = fixture::net(&["stem", "layer1", "head"]);
        let all = 2 * (144 + 16) + 512 + 2;
        let head = 512 + 2;

        let memory = Memory::of(&graph, &phase(&graph, "[head]"), 10, &Optimizer::AdamW(AdamW::default()));
        assert_eq!(memory.parameters, 4 * all);
        assert_eq!(memory.gradients, 4 * head);
        assert_eq!(memory.optimizer, 8 * head);
        // Forward without a tape: input and output of one node, which is more than the head's
        // input, its output and the output's gradient.
        assert_eq!(memory.activations, 4 * 10 * (256 + 256));

        let memory = Memory::of(&graph, &phase(&graph, "[layer1, head]"), 10, &Optimizer::Sgd(Sgd::default()));
        let trainable = 144 + 8 + head;
        assert_eq!(memory.gradients, 4 * trainable);
        assert_eq!(memory.optimizer, 4 * trainable);
        // What crosses, three outputs of layer1, the logits, and a pair of gradients.
        assert_eq!(memory.activations, 4 * 10 * (256 + 3 * 256 + 2 + 2 * 256));
        assert_eq!(memory.total(), memory.parameters + 8 * trainable + memory.activations);

        let plain = Optimizer::Sgd(Sgd { momentum: 0.0, ..Sgd::default() });
        assert_eq!(Memory::of(&graph, &phase(&graph, "[head]"), 10, &plain).optimizer, 0);
    }

    #[test]
    fn a_shortcut_keeps_its_activation_alive() {
        let mut graph = fixture::net(&["stem", "layer1"]);
        assert_eq!(forward_peak(&graph), 2 * 256);
        // The last node reads the stem's output as well.
        graph.nodes[5].inputs.push(Source::Node(2));
        assert_eq!(forward_peak(&graph), 3 * 256);
        // Only layer1's conv input and that shortcut cross the boundary, and both are one tensor.
        assert_eq!(backward_peak(&graph, 3), 256 + 3 * 256 + 2 * 256);
    }
}
