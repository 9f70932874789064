//! Tests of a net as a whole.
#![allow(clippy::unwrap_used)]

use super::{Activations, Forward, Graph, Net, Output, Params, Part, Source};
use super::{Builder, builder::BuildError, sequential};
use crate::engine::{Cpu, Gradients, KernelSet, Kernels, Tape, Tensor};
use crate::layers::{
    Add, AnyLayer, BatchNorm, Concat, Conv2d, ConvTranspose2d, Dropout, Flatten, GlobalAvgPool, Layout, Linear,
};
use crate::layers::{MaxPool, NormMode, Relu, Role, Shape, Silu, StochasticDepth};
use crate::random::{Key, Purpose};

const SAMPLES: usize = 4;
const CLASSES: usize = 3;

fn image(height: usize, width: usize, channels: usize) -> Shape {
    Shape::Image { height, width, channels }
}

/// A residual net: stem, a block with two branches and a shortcut, a head.
///
/// 0 conv, 1 norm, 2 relu; 3 conv, 4 norm, 5 depth, 6 add(2), 7 relu; 8 conv of 2, 9 concat(7);
/// 10 pool, 11 dropout, 12 linear.
fn residual() -> Graph {
    let mut builder = Builder::new(image(6, 6, 2));
    build_residual(&mut builder).unwrap();
    builder.finish()
}

fn build_residual(builder: &mut Builder) -> Result<(), BuildError> {
    builder.stage("stem");
    let x = builder.add("conv1", Conv2d::new(4, 3).padding(1).without_bias(), Source::Image)?;
    let x = builder.add("bn1", BatchNorm::default(), x)?;
    let stem = builder.add("relu1", Relu {}, x)?;
    builder.stage("block");
    let x = builder.add("conv2", Conv2d::new(4, 3).padding(1).groups(2).without_bias(), stem)?;
    let x = builder.add("bn2", BatchNorm::default(), x)?;
    let x = builder.add("depth", StochasticDepth(0.3), x)?;
    let x = builder.join("add", Add::default(), &[x, stem])?;
    let x = builder.add("relu2", Relu {}, x)?;
    let side = builder.add("side", Conv2d::new(2, 1), stem)?;
    let x = builder.join("concat", Concat::default(), &[x, side])?;
    builder.stage("head");
    let x = builder.add("head.0", GlobalAvgPool {}, x)?;
    let x = builder.add("head.1", Dropout(0.4), x)?;
    builder.add("head.2", Linear::new(CLASSES), x)?;
    Ok(())
}

/// The graph with values drawn from a fixed key.
fn net(graph: Graph) -> Net<Cpu> {
    let draw = |param: &super::Param| {
        let mut random = Key::new(3, Purpose::Init).named(&param.name).stream();
        let values = (0..param.def.count())
            .map(|_| match param.def.role {
                Role::Weight => random.normal() / (param.def.fans.0 as f32).sqrt(),
                Role::Scale | Role::RunningVariance => random.range(0.5, 1.5),
                Role::Bias | Role::Shift | Role::RunningMean => random.range(-0.5, 0.5),
            })
            .collect();
        Tensor::from_vec(&Cpu::default(), values, &param.def.dims).unwrap()
    };
    let params = Params::new(graph.params.iter().map(draw).collect());
    Net { graph, params }
}

fn images(graph: &Graph) -> Tensor<Cpu> {
    let mut random = Key::new(5, Purpose::Synthetic).stream();
    let dims = graph.input.batch(SAMPLES);
    let values = (0..dims.iter().product()).map(|_| random.normal()).collect();
    Tensor::from_vec(&Cpu::default(), values, &dims).unwrap()
}

/// How the tests run a net.
#[derive(Clone)]
struct How {
    kernels: KernelSet,
    training: bool,
    norms: Vec<NormMode>,
}

impl How {
    fn evaluating() -> Self {
        How { kernels: KernelSet::Fast, training: false, norms: Vec::new() }
    }

    fn training(graph: &Graph) -> Self {
        How { kernels: KernelSet::Fast, training: true, norms: vec![NormMode::Batch; graph.nodes.len()] }
    }

    fn run<'a>(&'a self, tape: &'a mut Tape<Cpu>) -> Forward<'a, Cpu> {
        let key = Key::new(1, Purpose::Layer);
        Forward { tape, training: self.training, norms: &self.norms, key, samples: &[7, 11, 13, 17], joined: None }
    }

    fn forward(&self, net: &Net<Cpu>) -> Output<Cpu> {
        net.forward(&images(&net.graph), self.run(&mut Tape::off(self.kernels))).unwrap()
    }

    fn part(&self, net: &Net<Cpu>, nodes: std::ops::Range<usize>, given: Activations<Cpu>) -> Part<Cpu> {
        net.forward_range(nodes, given, self.run(&mut Tape::off(self.kernels))).unwrap()
    }

    fn loss(&self, net: &Net<Cpu>, tape: &mut Tape<Cpu>) -> Tensor<Cpu> {
        let logits = net.forward(&images(&net.graph), self.run(tape)).unwrap().logits;
        let targets: Vec<f32> =
            (0..SAMPLES * CLASSES).map(|i| if i % CLASSES == i / CLASSES % CLASSES { 0.25 } else { 0.0 }).collect();
        let targets = Tensor::from_vec(&Cpu::default(), targets, &[SAMPLES, CLASSES]).unwrap();
        Cpu::cross_entropy(tape, &logits, &targets).unwrap()
    }

    fn gradients(&self, net: &Net<Cpu>) -> Gradients<Cpu> {
        let mut tape = Tape::recording(self.kernels);
        let loss = self.loss(net, &mut tape);
        tape.backward(&loss).unwrap()
    }
}

fn assert_near(found: &[f32], expected: &[f32]) {
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-5 * (1.0 + b.abs()));
    assert!(found.len() == expected.len() && near, "{found:?} is not {expected:?}");
}

#[test]
fn stages_cover_the_nodes_and_parameters_are_named_after_them() {
    let graph = residual();
    let stages: Vec<_> = graph.stages.iter().map(|stage| (stage.name.as_str(), stage.nodes.clone())).collect();
    assert_eq!(stages, [("stem", 0..3), ("block", 3..10), ("head", 10..13)]);
    let names: Vec<&str> = graph.params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names[..5], ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"]);
    assert_eq!(names[10..], ["side.weight", "side.bias", "head.2.weight", "head.2.bias"]);
    assert_eq!(graph.output(), Shape::Features(CLASSES));
    assert_eq!((0..3).map(|stage| graph.param_count(stage)).collect::<Vec<_>>(), [72 + 8, 72 + 8 + 10, 21]);
    assert_eq!(graph.params_of(1), 5..12);
    assert_eq!(graph.multiply_adds(0), 36 * 72);
}

#[test]
fn consumers_and_what_lives_at_a_boundary() {
    let graph = residual();
    let consumers = graph.consumers();
    assert_eq!((&consumers[2][..], &consumers[7][..], &consumers[12][..]), (&[3, 6, 8][..], &[9][..], &[][..]));
    assert_eq!(graph.live_at(0), [Source::Image]);
    assert_eq!(graph.live_at(3), [Source::Node(2)]);
    assert_eq!(graph.live_at(5), [Source::Node(2), Source::Node(4)]);
    assert_eq!(graph.live_at(9), [Source::Node(7), Source::Node(8)]);
    assert_eq!(graph.live_at(13), [Source::Node(12)]);
}

#[test]
fn what_backward_keeps_counts_once() {
    let graph = residual();
    // linear: its input; dropout: its mask.
    assert_eq!(graph.kept_for_backward(11), 6 + 6);
    // From the block on: relu1's output (input of conv2 and side), conv2's output (input of bn2), a
    // factor of the depth, relu2's output, then as above.
    assert_eq!(graph.kept_for_backward(3), 3 * 144 + 1 + 12);
}

#[test]
fn a_misfit_names_node_layer_shapes_and_reason() {
    let mut builder = Builder::new(image(2, 2, 3));
    let error = builder.add("features.0", Conv2d::new(8, 5), Source::Image).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`features.0` (conv2d) does not fit its input of 2x2x3: a window of 5x5 does not fit into an image of 2x2"
    );
    let relu = builder.add("relu", Relu {}, Source::Image).unwrap();
    let twice = builder.join("add", Add::default(), &[relu, relu]).unwrap_err();
    assert_eq!(twice.inputs, "2x2x3, 2x2x3");
    assert_eq!(twice.reason, "it takes the same input twice");
    assert!(builder.add("relu", Relu {}, relu).unwrap_err().reason.contains("has this name"));
    let much = ConvTranspose2d { stride: 4096.into(), ..ConvTranspose2d::new(8, 1) };
    let larger = builder.add("larger", much.clone(), relu).unwrap();
    let much = builder.add("much", much, larger).unwrap_err();
    assert_eq!(much.reason, "an output of 16777217x16777217x8 is more than there can be");
    let heavy = Conv2d { stride: 4096.into(), ..Conv2d::new(65536, 4096).padding(4096) };
    let heavy = builder.add("heavy", heavy, larger).unwrap_err();
    assert!(heavy.reason.starts_with("a tensor of more than"), "{heavy}");
    assert_eq!(builder.finish().nodes.len(), 2, "what does not fit leaves no trace");
}

#[test]
fn a_linear_layer_after_a_flatten_knows_the_image() {
    let mut builder = Builder::new(image(2, 3, 5));
    let x = builder.add("flatten", Flatten {}, Source::Image).unwrap();
    let x = builder.add("dropout", Dropout(0.5), x).unwrap();
    let x = builder.add("relu", Relu {}, x).unwrap();
    let x = builder.add("first", Linear::new(7), x).unwrap();
    builder.add("second", Linear::new(4), x).unwrap();
    let pooled = builder.add("pool", GlobalAvgPool {}, Source::Image).unwrap();
    builder.add("third", Linear::new(4), pooled).unwrap();
    let graph = builder.finish();
    let layouts: Vec<_> = graph
        .params
        .iter()
        .filter(|param| param.def.role == Role::Weight)
        .map(|param| (param.name.as_str(), param.def.layout))
        .collect();
    let after_flatten = Layout::LinearAfterFlatten { height: 2, width: 3, channels: 5 };
    let expected =
        [("first.weight", after_flatten), ("second.weight", Layout::Linear), ("third.weight", Layout::Linear)];
    assert_eq!(layouts, expected);
    assert_eq!(graph.stages[0].name, "net");
}

#[test]
fn lists_become_stages_and_nodes() {
    let layers: Vec<AnyLayer> = serde_yaml::from_str(
        "[{ conv2d: { out: 4, kernel: 3, padding: 1 } }, relu, { conv2d: { out: 4, kernel: 1 } }, { add: { with: [1] } }]",
    )
    .unwrap();
    let head: Vec<AnyLayer> = serde_yaml::from_str("[global_avg_pool, { linear: { out: classes } }]").unwrap();
    let head: Vec<AnyLayer> = head.into_iter().map(|layer| layer.with_classes(5)).collect();
    let mut builder = Builder::new(image(8, 8, 3));
    let x = sequential::layers(&mut builder, &layers, Source::Image).unwrap();
    assert_eq!(builder.shape(x), image(8, 8, 4));
    sequential::head(&mut builder, &head, x).unwrap();
    let graph = builder.finish();
    let stages: Vec<&str> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, ["layers.0", "layers.1", "layers.2", "layers.3", "head"]);
    assert_eq!(graph.nodes[3].inputs, [Source::Node(2), Source::Node(1)]);
    assert_eq!(graph.params.last().unwrap().name, "head.1.bias");
    assert_eq!(graph.output(), Shape::Features(5));
}

#[test]
fn a_misfit_in_a_list_says_where() {
    let fails = |yaml: &str| {
        let list: Vec<AnyLayer> = serde_yaml::from_str(yaml).unwrap();
        sequential::layers(&mut Builder::new(image(4, 4, 3)), &list, Source::Image).unwrap_err()
    };
    let error = fails("[relu, { max_pool: { size: 2 } }, { max_pool: { size: 3 } }]");
    assert_eq!((error.index, error.with), (2, None));
    assert!(error.to_string().contains("`layers.2` (max_pool) does not fit its input of 2x2x3"), "{error}");
    let error = fails("[relu, { add: { with: [0] } }]");
    assert_eq!((error.index, error.error.reason.as_str()), (1, "it takes the same input twice"));
    let error = fails("[relu, { relu: {} }, { add: { with: [0, 2] } }]");
    assert_eq!((error.index, error.with), (2, Some(1)));
    assert_eq!(error.error.reason, "`layers.2` does not come before it");
}

#[test]
fn a_net_by_hand() {
    let list: Vec<AnyLayer> = vec![
        Conv2d::new(1, 1).without_bias().into(),
        Silu {}.into(),
        MaxPool::new(2).into(),
        Flatten {}.into(),
        Linear::new(2).into(),
    ];
    let mut builder = Builder::new(image(2, 2, 1));
    sequential::layers(&mut builder, &list, Source::Image).unwrap();
    let tensor = |dims: &[usize], values: &[f32]| Tensor::from_vec(&Cpu::default(), values.to_vec(), dims).unwrap();
    let params = vec![tensor(&[1, 1, 1, 1], &[0.5]), tensor(&[1, 2], &[1.0, -1.0]), tensor(&[2], &[0.0, 1.0])];
    let net = Net { graph: builder.finish(), params: Params::new(params) };
    assert!(net.params.fit(&net.graph));
    let image = tensor(&[1, 2, 2, 1], &[-4.0, 0.0, 1.0, 2.0]);
    let how = How::evaluating();
    let output = net.forward(&image, how.run(&mut Tape::off(KernelSet::Fast))).unwrap();
    // silu(1) = 0.7310586 is the largest.
    assert_near(&output.logits.to_vec(), &[0.731_058_6, 0.268_941_4]);
}

#[test]
fn layer_by_layer_is_the_same_as_in_one_go_though_nothing_fuses() {
    let net = net(residual());
    for how in [How::evaluating(), How::training(&net.graph)] {
        let whole = how.forward(&net);
        let mut live: Activations<Cpu> = vec![(Source::Image, images(&net.graph))];
        let mut buffers = Vec::new();
        for node in 0..net.graph.nodes.len() {
            let part = how.part(&net, node..node + 1, live);
            live = part.live;
            buffers.extend(part.buffers);
        }
        assert_near(&live[0].1.to_vec(), &whole.logits.to_vec());
        assert_eq!(buffers.len(), whole.buffers.len());
        for ((id, by_layer), (expected, in_one_go)) in buffers.iter().zip(&whole.buffers) {
            assert_eq!(id, expected);
            assert_near(&by_layer.to_vec(), &in_one_go.to_vec());
        }
    }
}

#[test]
fn a_pass_may_be_cut_at_a_stage() {
    let net = net(residual());
    let how = How::training(&net.graph);
    let prefix = how.part(&net, 0..3, vec![(Source::Image, images(&net.graph))]);
    assert_eq!(prefix.live.iter().map(|(source, _)| *source).collect::<Vec<_>>(), [Source::Node(2)]);
    let rest = how.part(&net, 3..13, prefix.live);
    assert_eq!(rest.live[0].1.to_vec(), how.forward(&net).logits.to_vec(), "to the last bit");
}

#[test]
fn a_part_without_its_activations_is_an_error() {
    let net = net(residual());
    let how = How::evaluating();
    let Err((node, error)) = net.forward_range(3..13, Vec::new(), how.run(&mut Tape::off(KernelSet::Fast))) else {
        panic!("it ran")
    };
    assert_eq!((node, error.to_string().as_str()), (3, "it lacks the output of `relu1`"));
}

/// A block with a projection on its shortcut, then one without: each sum can run in one pass with a
/// convolution, that of the projection or the last of the branch.
fn shortcuts() -> Graph {
    fn build(builder: &mut Builder) -> Result<(), BuildError> {
        builder.stage("body");
        let conv = |out: usize| Conv2d::new(out, 3).padding(1).without_bias();
        let x = builder.add("conv1", conv(4), Source::Image)?;
        let x = builder.add("bn1", BatchNorm::default(), x)?;
        let branch = builder.add("relu1", Relu {}, x)?;
        let projected = builder.add("project", Conv2d::new(4, 1).without_bias(), Source::Image)?;
        let projected = builder.add("project_bn", BatchNorm::default(), projected)?;
        let x = builder.join("add1", Add::default(), &[branch, projected])?;
        let trunk = builder.add("relu2", Relu {}, x)?;
        let x = builder.add("conv2", conv(4), trunk)?;
        let x = builder.add("bn2", BatchNorm::default(), x)?;
        let x = builder.join("add2", Add::default(), &[x, trunk])?;
        builder.stage("head");
        let x = builder.add("pool", GlobalAvgPool {}, x)?;
        builder.add("fc", Linear::new(CLASSES), x)?;
        Ok(())
    }
    let mut builder = Builder::new(image(6, 6, 2));
    build(&mut builder).unwrap();
    builder.finish()
}

#[test]
fn operations_in_one_pass_change_no_bit() {
    for graph in [residual(), shortcuts()] {
        let plain = net(graph);
        let mut wanting = plain.clone();
        wanting.params.want_grads(&vec![true; plain.graph.params.len()]);
        let how = How::evaluating();
        // Where a gradient is wanted, each operation runs by itself.
        let apart = wanting.forward(&images(&plain.graph), how.run(&mut Tape::recording(how.kernels))).unwrap();
        let bits = |tensor: &Tensor<Cpu>| tensor.to_vec().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let together = how.forward(&plain);
        assert_eq!(bits(&together.logits), bits(&apart.logits));
        let end = plain.graph.end();
        for boundary in 0..=end {
            let part = how.part(&plain, 0..boundary, vec![(Source::Image, images(&plain.graph))]);
            let rest = how.part(&plain, boundary..end, part.live);
            assert_eq!(bits(&rest.live[0].1), bits(&apart.logits), "cut at {boundary}");
        }
    }
}

#[test]
fn running_statistics_move_only_where_the_batch_is_used() {
    let net = net(residual());
    assert!(How::evaluating().forward(&net).buffers.is_empty());
    let mut how = How::training(&net.graph);
    let ids = |how: &How| how.forward(&net).buffers.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(ids(&how), [3, 4, 8, 9]);
    how.norms[1] = NormMode::Inference;
    assert_eq!(ids(&how), [8, 9]);
}

#[test]
fn random_layers_act_in_training_only() {
    let net = net(residual());
    let mut how = How::evaluating();
    let still = how.forward(&net).logits.to_vec();
    how.training = true;
    assert_ne!(how.forward(&net).logits.to_vec(), still);
    assert_eq!(how.forward(&net).logits.to_vec(), how.forward(&net).logits.to_vec());
}

/// Holds the gradient of each parameter against the difference of losses along a random direction.
///
/// The step is short, or values would cross the kink of a `ReLU`.
#[test]
fn gradients_flow_through_branches() {
    const STEP: f32 = 1e-3;
    let mut net = net(residual());
    let wanted: Vec<bool> = net.graph.params.iter().map(|param| !param.def.role.is_buffer()).collect();
    net.params.want_grads(&wanted);
    for (kernels, norm) in [
        (KernelSet::Fast, NormMode::Batch),
        (KernelSet::Fast, NormMode::Inference),
        (KernelSet::Assembled, NormMode::Batch),
        (KernelSet::Assembled, NormMode::Inference),
    ] {
        let how = How { kernels, training: true, norms: vec![norm; net.graph.nodes.len()] };
        let mut gradients = how.gradients(&net);
        for (id, param) in net.graph.params.iter().enumerate().filter(|(id, _)| wanted[*id]) {
            let values = net.params.get(id).to_vec();
            let mut random = Key::new(9, Purpose::Init).named(&param.name).stream();
            let direction: Vec<f32> = values.iter().map(|_| random.normal()).collect();
            let along: f64 = gradients
                .of(net.params.get(id))
                .unwrap()
                .to_vec()
                .iter()
                .zip(&direction)
                .map(|(gradient, step)| f64::from(gradient * step))
                .sum();
            let moved = |sign: f32| {
                let values = values.iter().zip(&direction).map(|(value, step)| value + sign * STEP * step).collect();
                let mut moved = net.clone();
                moved.params.set(id, Tensor::from_vec(&Cpu::default(), values, &param.def.dims).unwrap());
                f64::from(how.loss(&moved, &mut Tape::off(kernels)).to_vec()[0])
            };
            let difference = (moved(1.0) - moved(-1.0)) / (2.0 * f64::from(STEP));
            assert!(
                (along - difference).abs() <= 3e-4 + 0.01 * difference.abs(),
                "{} with {kernels:?}, {norm:?}: {along} is not {difference}",
                param.name
            );
        }
    }
}

#[test]
fn what_wants_no_gradient_gets_none() {
    let mut net = net(residual());
    let head = net.graph.params_of(2);
    net.params.want_grads(&(0..net.graph.params.len()).map(|id| head.contains(&id)).collect::<Vec<_>>());
    let mut gradients = How::training(&net.graph).gradients(&net);
    for id in 0..net.graph.params.len() {
        let gradient = gradients.of(net.params.get(id)).unwrap().to_vec();
        assert_eq!(gradient.iter().any(|&value| value != 0.0), head.contains(&id), "{}", net.graph.params[id].name);
    }
}
