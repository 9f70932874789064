//! A net with the weights and the input of a golden file.

use crate::file::{Golden, Trained};
use crate::formula;
use crate::training::Trainer;
use runner::backbones::Arch;
use runner::engine::{Cpu, KernelSet, Tape, Tensor};
use runner::layers::{AnyLayer, NormMode, Shape};
use runner::net::{Builder, Forward, Graph, Net, Params, sequential};
use runner::random::{Key, Purpose};
use runner::weights::layout;
use std::collections::HashMap;

pub struct Subject {
    net: Net<Cpu>,
    images: Tensor<Cpu>,
    kernels: KernelSet,
}

impl Subject {
    pub fn new(golden: &Golden, kernels: KernelSet) -> Self {
        let [samples, channels, height, width] = golden.input;
        let head = golden.arch.default_head(golden.num_classes);
        let graph = graph(golden.arch, &head, Shape::Image { height, width, channels });
        assert_names_and_shapes(&graph, golden);
        let images = formula::images(golden.input);
        let images = Tensor::from_vec(&Cpu::default(), images, &[samples, height, width, channels]).unwrap();
        let params = params(&graph);
        Subject { net: Net { graph, params }, images, kernels }
    }

    /// Puts the weights of the formula back.
    pub fn reset(&mut self) {
        self.net.params = params(&self.net.graph);
    }

    /// The logits in evaluation.
    pub fn logits(&self) -> Vec<Vec<f32>> {
        evaluate(&self.net, &self.images, self.kernels)
    }

    /// Makes as many steps as the golden file has losses; gives the loss before each.
    pub fn train(&mut self, golden: &Golden, steps: usize, trained: Trained) -> Vec<f32> {
        let mut trainer = Trainer::new(&mut self.net, golden, trained, self.kernels);
        (0..steps).map(|_| trainer.step(&self.images)).collect()
    }
}

/// An architecture under a head.
pub fn graph(arch: Arch, head: &[AnyLayer], input: Shape) -> Graph {
    let mut builder = Builder::new(input);
    let features = arch.build(&mut builder).unwrap();
    sequential::head(&mut builder, head, features).unwrap();
    builder.finish()
}

/// What the net gives for each image in evaluation.
pub fn evaluate(net: &Net<Cpu>, images: &Tensor<Cpu>, kernels: KernelSet) -> Vec<Vec<f32>> {
    let output = forward(net, images, &mut Tape::off(kernels), &[]);
    let width = output.logits.dims()[1];
    output.logits.to_vec().chunks(width).map(<[f32]>::to_vec).collect()
}

/// One forward pass, random layers off.
pub fn forward(
    net: &Net<Cpu>,
    images: &Tensor<Cpu>,
    tape: &mut Tape<Cpu>,
    norms: &[NormMode],
) -> runner::net::forward::Output<Cpu> {
    let samples: Vec<u64> = (0..images.dims()[0] as u64).collect();
    let run = Forward { tape, training: false, norms, key: Key::new(0, Purpose::Layer), samples: &samples };
    net.forward(images, run).unwrap_or_else(|(node, error)| panic!("{}: {error}", net.graph.nodes[node].name))
}

/// The net's parameters stand in the order of torch's `state_dict`, under its names (the
/// EfficientNets under names of their own) and in its shapes.
fn assert_names_and_shapes(graph: &Graph, golden: &Golden) {
    let own_names = matches!(golden.arch, Arch::EfficientnetB0 | Arch::EfficientnetLite0);
    let head: HashMap<_, _> = golden.arch.head_names().into_iter().collect();
    let torch = golden.tensors.iter().map(|(name, dims)| (head.get(name).unwrap_or(name).clone(), dims.clone()));
    let ours = graph.params.iter().map(|param| (param.name.clone(), layout::file_dims(&param.def)));
    if own_names {
        assert_eq!(ours.map(|(_, dims)| dims).collect::<Vec<_>>(), torch.map(|(_, dims)| dims).collect::<Vec<_>>());
    } else {
        assert_eq!(ours.collect::<Vec<_>>(), torch.collect::<Vec<_>>());
    }
}

/// The weights of the formula.
fn params(graph: &Graph) -> Params<Cpu> {
    let values = graph.params.iter().zip(1..).map(|(param, t)| {
        let def = &param.def;
        let values = formula::weights(t, def.role, &layout::file_dims(def));
        Tensor::from_vec(&Cpu::default(), layout::to_memory(def, &values), &def.dims).unwrap()
    });
    Params::new(values.collect())
}
