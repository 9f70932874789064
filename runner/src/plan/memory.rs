//! What a phase costs: an estimate of the peak of memory.

use super::PhasePlan;
use crate::data::loader;
use crate::layers::AnyLayer;
use crate::net::{Graph, Node, NodeId, Source};
use crate::optim::Optimizer;
use crate::spec::{ImageMemory, Pipeline};
use std::collections::{BTreeMap, HashMap};

/// All values are float32.
const BYTES: u64 = 4;

/// What the estimate for a phase is made of: in values, not in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    parameters: u64,
    trainable: u64,
    optimizer: u64,
    kept_weights: u64,
    scratch: u64,
    /// Bytes.
    cache: u64,
    /// Of one image.
    activations: u64,
    image: u64,
    /// Images that wait.
    waiting: usize,
}

/// An estimate of the most memory that a phase holds at once, in bytes. It is rather too high than too
/// low: what the budget of `memory_budget` allows by it is kept.
///
/// It leaves out what does not grow with the net, the batch and the image: the program itself, and a data
/// set that lies in memory; and an image while it is decoded and varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// All parameters and buffers, and copies of them.
    pub parameters: u64,
    /// A gradient for each value that trains.
    pub gradients: u64,
    /// What the optimizer keeps for each value that trains: two moments (`adamw`), or a velocity
    /// (`sgd`).
    pub optimizer: u64,
    /// Activations of a piece of a batch at the worst moment, which is the largest of two:
    /// - a forward pass without a tape (the frozen prefix; all of the net when evaluating), where an
    ///   activation lives until its last consumer has run;
    /// - the way back: all that the nodes from the boundary on keep for it, and the gradients that wait
    ///   for their node at the worst moment.
    pub activations: u64,
    /// Images, those of the batches that are made ahead included.
    pub images: u64,
    /// The best weights so far, and a checkpoint while it is written.
    pub copies: u64,
    /// Scratch space of the kernels.
    pub scratch: u64,
    /// Decoded images that are kept, where the spec says how much they may take.
    pub cache: u64,
    /// Images of the next piece, which are sent ahead to a device with memory of its own.
    pub ahead: u64,
}

impl Memory {
    /// The estimate for a phase that computes batches in pieces of `piece` samples. A batch has
    /// `batch` images, made by `workers` threads.
    pub fn of(graph: &Graph, phase: &PhasePlan, piece: usize, spec: &Pipeline) -> Memory {
        Needs::of(graph, phase, spec).in_pieces(piece)
    }

    /// What of it is on a device with memory of its own: copies of weights, and images that wait, are not.
    pub fn on_device(&self) -> u64 {
        let parts = [self.parameters, self.gradients, self.optimizer, self.activations, self.scratch, self.ahead];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// All of it, where the device's memory is the host's.
    pub fn total(&self) -> u64 {
        let of_net = [self.parameters, self.gradients, self.optimizer, self.activations, self.copies, self.scratch];
        let parts = of_net.into_iter().chain([self.images, self.cache]);
        parts.fold(0, u64::saturating_add)
    }
}

impl Needs {
    /// What a phase needs, whatever pieces it computes its batches in.
    pub fn of(graph: &Graph, phase: &PhasePlan, spec: &Pipeline) -> Needs {
        let graph = &graph.leaving_by(phase.exit);
        let trainable = phase.trainable_values(graph) as u64;
        let slots = match spec.schedule.optimizer {
            Optimizer::AdamW(_) => 2,
            Optimizer::Sgd(_) => 1,
        };
        let parameters = values_of(graph.params.iter().map(|param| param.def.count()));
        // The batch after the reader's, of which the first piece is sent ahead.
        let looked_at = if spec.device.may_be_gpu() { spec.data.batch } else { 0 };
        let copies = if phase.restore_best { 2 } else { 1 } + spec.regularization.copies();
        Needs {
            parameters,
            trainable,
            optimizer: trainable.saturating_mul(slots),
            kept_weights: parameters.saturating_mul(copies),
            scratch: scratch(graph, phase),
            cache: match spec.data.cache {
                Some(ImageMemory::UpTo(bytes)) => bytes.0,
                // By default it takes of what is free when the run begins, and no more.
                Some(ImageMemory::Off) | None => 0,
            },
            activations: forward_peak(graph).max(backward_peak(graph, phase.boundary)),
            image: graph.input.count() as u64,
            waiting: loader::held(spec.data.batch, spec.data.workers()).saturating_add(looked_at),
        }
    }

    /// The estimate for batches that are computed in pieces of so many samples.
    pub fn in_pieces(&self, piece: usize) -> Memory {
        // Those of the piece are copied out of the batch, and on the device as long as the step takes.
        let images = self.waiting.saturating_add(piece.saturating_mul(2));
        let in_bytes = |values: u64| BYTES.saturating_mul(values);
        Memory {
            parameters: in_bytes(self.parameters),
            gradients: in_bytes(self.trainable),
            optimizer: in_bytes(self.optimizer),
            activations: in_bytes((piece as u64).saturating_mul(self.activations)),
            images: in_bytes((images as u64).saturating_mul(self.image)),
            copies: in_bytes(self.parameters.saturating_add(self.optimizer).saturating_add(self.kept_weights)),
            scratch: in_bytes(self.scratch),
            cache: self.cache,
            ahead: in_bytes((piece as u64).saturating_mul(self.image)),
        }
    }
}

fn values_of(counts: impl Iterator<Item = usize>) -> u64 {
    counts.fold(0, |sum: u64, count| sum.saturating_add(count as u64))
}

/// Values that a convolution's kernels need besides, at most: the gradient to its weights is summed in
/// up to 16 parts of together up to 2^23 values, and over few pixels all columns are made at once.
fn scratch(graph: &Graph, phase: &PhasePlan) -> u64 {
    let of_node = |(id, node): (NodeId, &Node)| {
        let weights = values_of(node.params.clone().map(|param| graph.params[param].def.count()));
        let parts = if id >= phase.boundary { weights.saturating_mul(16).min(1 << 23).max(weights) } else { 0 };
        let columns = match (&node.layer, node.inputs.first()) {
            (AnyLayer::Conv2d(_), Some(&input)) => {
                let taps = weights.div_ceil(node.output.channels().max(1) as u64);
                taps.max(graph.shape_of(input).channels() as u64).saturating_mul(FEW_ROWS)
            }
            _ => 0,
        };
        parts.saturating_add(columns)
    };
    running(graph).map(of_node).max().unwrap_or_default()
}

/// Pixels up to which a convolution makes all columns first.
const FEW_ROWS: u64 = 1024;

fn running(graph: &Graph) -> impl Iterator<Item = (NodeId, &Node)> {
    graph.nodes.iter().enumerate().filter(|(id, _)| graph.runs(*id))
}

/// Values a sample at the worst moment of a forward pass without a tape.
fn forward_peak(graph: &Graph) -> u64 {
    let mut last_use: HashMap<Source, NodeId> = HashMap::new();
    for (consumer, node) in running(graph) {
        last_use.insert(Source::Node(consumer), consumer);
        last_use.extend(node.inputs.iter().map(|&input| (input, consumer)));
    }
    let mut freed: Vec<u64> = vec![0; graph.nodes.len()];
    for (&source, &last) in &last_use {
        freed[last] = freed[last].saturating_add(values(graph, source));
    }
    let mut live = values(graph, Source::Image);
    let mut peak = live;
    for (node, _) in running(graph) {
        live = live.saturating_add(values(graph, Source::Node(node)));
        peak = peak.max(live);
        live = live.saturating_sub(freed[node]);
    }
    peak
}

/// Values a sample on the way back at the worst moment: all that is kept for it, as if nothing of that
/// were freed on the way, and the gradients that live at once.
fn backward_peak(graph: &Graph, boundary: NodeId) -> u64 {
    let taped = |input: &&Source| matches!(input, Source::Node(node) if *node >= boundary);
    let mut waiting: BTreeMap<Source, u64> = BTreeMap::new();
    let mut gradients = 0;
    let nodes: Vec<(NodeId, &Node)> = running(graph).filter(|(id, _)| *id >= boundary).collect();
    for &(id, node) in nodes.iter().rev() {
        waiting.insert(Source::Node(id), values(graph, Source::Node(id)));
        waiting.extend(node.inputs.iter().filter(taped).map(|&input| (input, values(graph, input))));
        gradients = gradients.max(waiting.values().fold(0, |sum: u64, &count| sum.saturating_add(count)));
        waiting.remove(&Source::Node(id));
    }
    // Before the way back, the last layers' inputs and outputs that nobody keeps take as much.
    (graph.kept_for_backward(boundary) as u64).saturating_add(gradients)
}

fn values(graph: &Graph, source: Source) -> u64 {
    graph.shape_of(source).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::DeviceName;
    use crate::plan::fixture;
    use crate::spec::Problems;

    fn phase(graph: &Graph, train: &str) -> PhasePlan {
        let yaml = format!("phases: [{{ name: a, epochs: 1, lr: 1, train: {train} }}]");
        let mut problems = Problems::default();
        let phase = PhasePlan::resolve(&fixture::drafts(&fixture::yaml(&yaml))[0], graph, &mut problems);
        problems.or(phase).unwrap()
    }

    fn spec(optimizer: &str) -> Pipeline {
        fixture::yaml(&format!(
            "{{ name: a, device: cpu, data: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 8 }}, batch: 10, workers: 1 }}, \
             schedule: {{ optimizer: {optimizer} }} }}"
        ))
    }

    #[test]
    fn memory_is_what_one_counts_by_hand() {
        // Activations of 8x8x4 = 256 values; per stage conv, norm, relu; the head gives 2.
        let graph = fixture::net(&["stem", "layer1", "head"]);
        let all = 2 * (144 + 16) + 512 + 2;
        let head = 512 + 2;

        let memory = Memory::of(&graph, &phase(&graph, "[head]"), 10, &spec("adamw"));
        assert_eq!(memory.parameters, 4 * all);
        assert_eq!(memory.gradients, 4 * head);
        assert_eq!(memory.optimizer, 8 * head);
        // Backward needs the linear map's input and the gradient of the logits; forward without a
        // tape needs more: input and output of one node.
        assert_eq!(memory.activations, 4 * 10 * (256 + 256));
        // Two batches ahead, the reader's, one as bytes, and twice the piece.
        assert_eq!(memory.images, 4 * 256 * (4 * 10 + 2 * 10));
        // The best weights; a checkpoint with what the optimizer keeps.
        assert_eq!(memory.copies, 4 * (2 * all + 2 * head));
        // The columns of a 3x3 convolution over four channels.
        assert_eq!(memory.scratch, 4 * 36 * 1024);

        let memory = Memory::of(&graph, &phase(&graph, "[layer1, head]"), 10, &spec("sgd"));
        let trainable = 144 + 8 + head;
        assert_eq!(memory.gradients, 4 * trainable);
        assert_eq!(memory.optimizer, 4 * trainable);
        // The inputs of conv, norm and linear, the output of the ReLU, and a pair of gradients.
        assert_eq!(memory.activations, 4 * 10 * (3 * 256 + 256 + 2 * 256));
        let parts = memory.parameters + memory.gradients + memory.optimizer + memory.activations;
        assert_eq!(memory.total(), parts + memory.images + memory.copies + memory.scratch);
    }

    #[test]
    fn a_gpu_has_the_images_of_the_next_piece_too() {
        let graph = fixture::net(&["stem", "head"]);
        let memory = |piece: usize, device: DeviceName| {
            let spec = Pipeline { device, ..spec("sgd") };
            Memory::of(&graph, &phase(&graph, "['*']"), piece, &spec)
        };
        let (cpu, gpu) = (memory(3, DeviceName::Cpu), memory(3, DeviceName::Cuda(0)));
        let of_net = gpu.parameters + gpu.gradients + gpu.optimizer + gpu.activations + gpu.scratch;
        assert_eq!(gpu.on_device(), of_net + 4 * 256 * 3);
        // The host has one batch more.
        assert_eq!(gpu.total(), cpu.total() + 4 * 256 * 10);
        assert_eq!(cpu.total(), of_net + cpu.images + cpu.copies);
    }

    #[test]
    fn images_that_are_kept_count_with_what_they_may_take() {
        let graph = fixture::net(&["stem", "head"]);
        let memory = |cache: Option<ImageMemory>| {
            let mut spec = spec("sgd");
            spec.data.cache = cache;
            Memory::of(&graph, &phase(&graph, "[head]"), 10, &spec).total()
        };
        assert_eq!(memory(Some(ImageMemory::UpTo(crate::spec::Bytes(1000)))), memory(None) + 1000);
        assert_eq!(memory(Some(ImageMemory::Off)), memory(None));
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
        // From the image on, the inputs of two convs and two norms and the last output are kept, and the
        // shortcut's gradient waits while the way through the layer is gone.
        assert_eq!(backward_peak(&graph, 0), 5 * 256 + 3 * 256);
    }

    #[test]
    fn what_is_above_an_auxiliary_head_takes_nothing() {
        let graph = fixture::net(&["stem", "layer1", "layer2", "head"]).with_auxiliary(2, 2).unwrap();
        let memory = |train: &str| Memory::of(&graph, &phase(&graph, train), 10, &spec("sgd")).activations;
        // Image, conv and norm are kept, and the output of the ReLU; the head's input is a mean of four.
        assert!(memory("[stem, auxiliary1]") <= 4 * 10 * (4 * 256 + 2 * 256 + 2 * 4));
        assert!(2 * memory("[stem]") > 3 * memory("[stem, auxiliary1]"));
    }
}
