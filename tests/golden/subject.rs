//! A net with the weights and the input of a golden file.

use crate::agreement::Spread;
use crate::device::{Device, device};
use crate::file::{Formula, Golden, Trained, Training};
use crate::state_dict;
use crate::training::Trainer;
use runner::backbones::Arch;
use runner::engine::{KernelSet, Tape, Tensor};
use runner::layers::{AnyLayer, NormMode, Shape};
use runner::net::{Builder, Forward, Graph, Net, Params, sequential};
use runner::random::{Key, Purpose};
use runner::weights::layout;

pub struct Subject<'a> {
    golden: &'a Golden,
    net: Net<Device>,
    images: Tensor<Device>,
}

impl<'a> Subject<'a> {
    pub fn new(golden: &'a Golden) -> Self {
        let [_, channels, height, width] = golden.input;
        let head = golden.arch.default_head(golden.num_classes);
        let graph = graph(golden.arch, &head, Shape::Image { height, width, channels });
        state_dict::check(&graph, golden);
        let params = params(&graph, golden.values);
        Subject { golden, net: Net { graph, params }, images: images(golden, golden.values.images(golden.input)) }
    }

    /// The logits in evaluation.
    pub fn logits(&self, kernels: KernelSet) -> Vec<Vec<f32>> {
        evaluate(&self.net, &self.images, kernels)
    }

    /// Makes as many steps as asked; the losses before each, and the logits after the last.
    pub fn train(&self, kernels: KernelSet, trained: Trained, steps: usize) -> Training {
        self.train_on(&self.images, kernels, trained, steps)
    }

    /// How far the results of a training move when the images change in their last bit: what
    /// rounding does to it.
    pub fn spread(&self, trained: Trained, steps: usize) -> Spread {
        let [exact, shaken @ ..] = [0, 1, 2].map(|seed| {
            let images = images(self.golden, shaken(&self.images.to_vec(), seed));
            self.train_on(&images, KernelSet::Fast, trained, steps)
        });
        Spread::of(&exact, &shaken)
    }

    fn train_on(&self, images: &Tensor<Device>, kernels: KernelSet, trained: Trained, steps: usize) -> Training {
        let mut net = self.net.clone();
        let mut trainer = Trainer::new(&mut net, self.golden, trained, kernels);
        let losses = (0..steps).map(|_| trainer.step(images)).collect();
        Training { losses, eval_logits_after: evaluate(&net, &self.images, kernels) }
    }
}

fn images(golden: &Golden, values: Vec<f32>) -> Tensor<Device> {
    let [samples, channels, height, width] = golden.input;
    Tensor::from_vec(&device(), values, &[samples, height, width, channels]).unwrap()
}

/// Each value one step up or down in `f32`, or as it is; seed 0 changes nothing.
fn shaken(values: &[f32], seed: u64) -> Vec<f32> {
    let mut random = Key::new(seed, Purpose::Augment).stream();
    let mut shake = |value: f32| match random.below(3) {
        0 => value.next_down(),
        1 => value.next_up(),
        _ => value,
    };
    if seed == 0 { values.to_vec() } else { values.iter().map(|&value| shake(value)).collect() }
}

/// An architecture under a head.
pub fn graph(arch: Arch, head: &[AnyLayer], input: Shape) -> Graph {
    let mut builder = Builder::new(input);
    let features = arch.build(&mut builder).unwrap();
    sequential::head(&mut builder, head, features).unwrap();
    builder.finish()
}

/// What the net gives for each image in evaluation.
pub fn evaluate(net: &Net<Device>, images: &Tensor<Device>, kernels: KernelSet) -> Vec<Vec<f32>> {
    let output = forward(net, images, &mut Tape::off(kernels), &[]);
    let width = output.logits.dims()[1];
    output.logits.to_vec().chunks(width).map(<[f32]>::to_vec).collect()
}

/// One forward pass, random layers off.
pub fn forward(
    net: &Net<Device>,
    images: &Tensor<Device>,
    tape: &mut Tape<Device>,
    norms: &[NormMode],
) -> runner::net::forward::Output<Device> {
    let samples: Vec<u64> = (0..images.dims()[0] as u64).collect();
    let run =
        Forward { tape, training: false, norms, key: Key::new(0, Purpose::Layer), samples: &samples, joined: None };
    net.forward(images, run).unwrap_or_else(|(node, error)| panic!("{}: {error}", net.graph.nodes[node].name))
}

/// The weights of the formula.
fn params(graph: &Graph, formula: Formula) -> Params<Device> {
    let values = graph.params.iter().zip(1..).map(|(param, t)| {
        let def = &param.def;
        let values = formula.weights(t, def.role, &layout::file_dims(def));
        Tensor::from_vec(&device(), layout::to_memory(def, &values), &def.dims).unwrap()
    });
    Params::new(values.collect())
}
