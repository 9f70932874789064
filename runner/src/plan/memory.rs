//! What a phase costs: an estimate of the peak of memory.

use super::PhasePlan;
use crate::layers::{Layer, Shape};
use crate::net::{Graph, NodeId, Source};
use crate::optim::Optimizer;
use std::collections::{HashMap, HashSet};

/// All values are float32.
const BYTES: u64 = 4;

/// An estimate of the most memory that a phase holds at once, in bytes.
///
/// It counts what grows with the net and the batch, as float32, and leaves out what does not: the
/// program itself, decoded images on their way, scratch space of the kernels. An activation that is
/// only a view of another is counted apart, and so are activations that backward of a layer whose
/// weights are frozen could do without: for the net itself it is rather too high than too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// All parameters and buffers, and copies of them.
    pub parameters: u64,
    /// A gradient for each value that trains.
    pub gradients: u64,
    /// What the optimizer keeps for each value that trains: two moments (`adamw`), or a velocity
    /// (`sgd`).
    pub optimizer: u64,
    /// Activations at the worst moment, which is the largest of two:
    /// - a forward pass without a tape (the frozen prefix; all of the net when evaluating), where an
    ///   activation lives until its last consumer has run;
    /// - the start of backward: all that the nodes from the boundary on keep for it, and the
    ///   gradients of one node's output and inputs.
    pub activations: u64,
}

impl Memory {
    /// The estimate for a phase with batches of `batch` samples.
    pub fn of(graph: &Graph, phase: &PhasePlan, batch: usize, optimizer: &Optimizer) -> Memory {
        let trainable = phase.trainable_values(graph) as u64;
        let kept = match optimizer {
            Optimizer::AdamW(_) => 2,
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

    /// The same where so many copies of the parameters are kept beside them: averages, starts.
    #[must_use]
    pub fn with_copies(self, copies: u64) -> Memory {
        Memory { parameters: self.parameters * (1 + copies), ..self }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.parameters + self.gradients + self.optimizer + self.activations
    }
}

/// Values a sample at the worst moment of a forward pass without a tape.
fn forward_peak(graph: &Graph) -> u64 {
    let sources = [Source::Image].into_iter().chain((0..graph.nodes.len()).map(Source::Node));
    let mut last_use: HashMap<Source, NodeId> = HashMap::new();
    for (consumer, node) in graph.nodes.iter().enumerate() {
        last_use.insert(Source::Node(consumer), consumer);
        last_use.extend(node.inputs.iter().map(|&input| (input, consumer)));
    }
    let mut freed = vec![0; graph.nodes.len()];
    for source in sources {
        if let Some(freed) = last_use.get(&source).and_then(|&last| freed.get_mut(last)) {
            *freed += values(graph, source);
        }
    }
    let mut live = values(graph, Source::Image);
    let mut peak = live;
    for (node, freed) in freed.into_iter().enumerate() {
        live += values(graph, Source::Node(node));
        peak = peak.max(live);
        live -= freed;
    }
    peak
}

/// Values a sample at the start of backward.
fn backward_peak(graph: &Graph, boundary: NodeId) -> u64 {
    let mut kept: HashSet<Source> = HashSet::new();
    let mut extra = 0;
    let mut gradients = 0;
    for (id, node) in graph.nodes.iter().enumerate().skip(boundary) {
        let inputs: Vec<Shape> = node.inputs.iter().map(|&input| graph.shape_of(input)).collect();
        let keeps = node.layer.kept_for_backward(&inputs, node.output);
        kept.extend(keeps.output.then_some(Source::Node(id)));
        kept.extend(node.inputs.iter().filter(|_| keeps.inputs));
        extra += keeps.extra as u64;
        let taped = node.inputs.iter().filter(|input| matches!(input, Source::Node(node) if *node >= boundary));
        let pair = node.output.count() as u64 + taped.map(|&input| values(graph, input)).sum::<u64>();
        gradients = gradients.max(pair);
    }
    kept.into_iter().map(|source| values(graph, source)).sum::<u64>() + extra + gradients
}

fn values(graph: &Graph, source: Source) -> u64 {
    graph.shape_of(source).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{AdamW, Sgd};
    use crate::plan::fixture;
    use crate::spec::Problems;

    fn phase(graph: &Graph, train: &str) -> PhasePlan {
        let yaml = format!("phases: [{{ name: a, epochs: 1, lr: 1, train: {train} }}]");
        let mut problems = Problems::default();
        let phase = PhasePlan::resolve(&fixture::drafts(&fixture::yaml(&yaml))[0], graph, &mut problems);
        problems.or(phase).unwrap()
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
        // Backward needs the linear map's input and the gradient of the logits; forward without a
        // tape needs more: input and output of one node.
        assert_eq!(memory.activations, 4 * 10 * (256 + 256));

        let memory = Memory::of(&graph, &phase(&graph, "[layer1, head]"), 10, &Optimizer::Sgd(Sgd::default()));
        let trainable = 144 + 8 + head;
        assert_eq!(memory.gradients, 4 * trainable);
        assert_eq!(memory.optimizer, 4 * trainable);
        // The inputs of conv, norm and linear, the output of the ReLU, and a pair of gradients.
        assert_eq!(memory.activations, 4 * 10 * (3 * 256 + 256 + 2 * 256));
        assert_eq!(memory.total(), memory.parameters + 8 * trainable + memory.activations);
    }

    #[test]
    fn a_shortcut_keeps_its_activation_alive() {
        let mut graph = fixture::net(&["stem", "layer1"]);
        assert_eq!(forward_peak(&graph), 2 * 256);
        // The last node reads the stem's output as well.
        graph.nodes[5].inputs.push(Source::Node(2));
        assert_eq!(forward_peak(&graph), 3 * 256);
        // What conv, norm and ReLU keep, and a pair of gradients: the shortcut needs none, for it
        // comes from before the boundary.
        assert_eq!(backward_peak(&graph, 3), 3 * 256 + 2 * 256);
    }
}
