//! A net with the weights and the input of a golden file.

use crate::file::{Golden, Trained};
use crate::formula;
use crate::training::Trainer;
use runner::backbones::Arch;
use runner::engine::{Cpu, KernelSet, Tape, Tensor};
use runner::layers::{AnyLayer, NormMode, Shape};
use runner::net::{Builder, Forward, Graph, Net, Node, Params, sequential};
use runner::random::{Key, Purpose};
use runner::weights::{layout, names, names::NameMap};
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
        self.net.params = Params::new(Vec::new()); // VGG's are half a gigabyte: not twice.
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

/// The net's parameters are the tensors of torch's `state_dict`, in order, shape, and name under one
/// of the name maps.
fn assert_names_and_shapes(graph: &Graph, golden: &Golden) {
    let ours: Vec<_> = graph.params.iter().map(|param| (param.name.clone(), layout::file_dims(&param.def))).collect();
    let of_head = |node: &&Node| matches!(node.layer, AnyLayer::Linear(_)) && node.name.starts_with("head.");
    let linears: Vec<_> = graph.nodes.iter().filter(of_head).map(|node| &node.name).collect();
    let maps = names::maps(Some(golden.arch));
    let renamed = |map: &NameMap| -> Vec<_> {
        let classifier: HashMap<_, _> = map.classifier.iter().zip(&linears).collect();
        let rename =
            |name: &String| match name.rsplit_once('.').and_then(|(layer, part)| Some((classifier.get(&layer)?, part)))
            {
                Some((layer, part)) => format!("{layer}.{part}"),
                None => map.rename(name).unwrap_or_else(|| name.clone()),
            };
        golden.tensors.iter().map(|(name, dims)| (rename(name), dims.clone())).collect()
    };
    if maps.iter().all(|map| renamed(map) != ours) {
        assert_eq!(ours, renamed(&maps[0]), "{}", golden.arch.name());
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
