//! Training steps or evaluation passes of a backbone on request: `cargo bench -p runner --bench steps -- resnet18 16 224
//! step`.
//!
//! Arguments: the backbone, images a batch, pixels a side, what is done, steps to warm up with (2), the device (`cpu`),
//! and how exactly a GPU multiplies (`f32`). `step` trains all of the net by SGD with momentum, `forward` evaluates,
//! `head` trains what follows the backbone, and `last` its last stage too. Prints what the net costs as a line of JSON;
//! then does as many steps as each line of its input says and prints the seconds that they took, so that it can
//! run by turns with another program (`tests/peers/compare.py`). `steps peak` does large matrix products instead, and
//! `steps copy` copies what no cache holds.

use rayon::prelude::*;
use runner::data::{Batch, DataFacts};
use runner::engine::device::{DeviceTask, in_pool, open_cpu, with_device};
use runner::engine::{Cpu, DeviceName, KernelSet, Kernels, Precision, Tape, Tensor};
use runner::net::{Graph, Net, Node, Source};
use runner::plan::Plan;
use runner::random::{Key, Purpose};
use runner::regularize::LossTargets;
use runner::spec;
use runner::train::ahead::Ahead;
use runner::train::evaluate::logits;
use runner::train::optimizer::State;
use runner::train::penalties::Penalties;
use runner::train::start::Start;
use runner::train::step::{StepContext, step_ahead};
use serde_json::json;
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, stdin};
use std::path::Path;
use std::time::Instant;

#[global_allocator]
static MEMORY: runner::engine::KeptMemory = runner::engine::KeptMemory;

const USAGE: &str =
    "steps BACKBONE BATCH SIZE step|forward|head|last [WARM_UP [DEVICE [PRECISION]]], or: steps peak|copy";
const CLASSES: usize = 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // As `run` does.
    in_pool(|| serve().map_err(|error| error.to_string()))?;
    Ok(())
}

fn serve() -> Result<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["peak"] => peak(),
        ["copy"] => copy(),
        [backbone, batch, size, mode, ref rest @ ..] => {
            let trains = match mode {
                "step" => Some("'*'"),
                "head" => Some("head"),
                "last" => Some("head, layer4"),
                "forward" => None,
                _ => return Err(USAGE.into()),
            };
            let warm_up = rest.first().map_or(Ok(2), |count| count.parse())?;
            let device = rest.get(1).map_or(Ok(DeviceName::Cpu), |name| name.parse())?;
            let precision: Precision = serde_yaml::from_str(rest.get(2).unwrap_or(&"f32"))?;
            precision.set();
            let asked = Asked { backbone, rows: batch.parse()?, size: size.parse()?, trains, warm_up };
            Ok(with_device(device, asked)??)
        }
        // As a test of all targets runs it.
        [] => Ok(()),
        _ => Err(USAGE.into()),
    }
}

/// Products of large square matrices: what the machine can do.
fn peak() -> Result<()> {
    const SIDE: usize = 1536;
    let device = open_cpu()?;
    let matrix = Tensor::from_vec(&device, noise(SIDE * SIDE), &[SIDE, SIDE])?;
    let other = Tensor::from_vec(&device, noise(SIDE * SIDE), &[SIDE, SIDE])?;
    println!("{}", json!({ "multiply_adds": SIDE.pow(3) }));
    answer(|| {
        Cpu::matmul(&mut Tape::off(KernelSet::default()), &matrix, &other)?;
        Ok(())
    })
}

/// Copies of a large array: how fast memory is.
fn copy() -> Result<()> {
    const VALUES: usize = 32 << 20;
    const PART: usize = 1 << 16;
    let (from, mut to) = (vec![1.0_f32; VALUES], vec![0.0_f32; VALUES]);
    println!("{}", json!({ "bytes": 2 * VALUES * size_of::<f32>() }));
    answer(|| {
        to.par_chunks_mut(PART).zip(from.par_chunks(PART)).for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut to);
        Ok(())
    })
}

/// What is asked for on the command line.
struct Asked<'a> {
    backbone: &'a str,
    rows: usize,
    size: usize,
    /// What trains; nothing does in a forward pass.
    trains: Option<&'a str>,
    warm_up: usize,
}

impl DeviceTask for Asked<'_> {
    type Output = std::result::Result<(), String>;

    fn run<D: Kernels>(self, device: D) -> Self::Output {
        let steps = Steps::new(device, &self).and_then(|steps| steps.serve(self.warm_up));
        steps.map_err(|error| error.to_string())
    }
}

/// A net, and all that a step over a batch needs.
struct Steps<D: Kernels> {
    device: D,
    plan: Plan,
    net: Net<D>,
    optimizer: State<D>,
    batch: Batch,
    /// As in a run, the next batch travels to a GPU while this one trains.
    ahead: Ahead<D>,
    trains: bool,
}

impl<D: Kernels> Steps<D> {
    fn new(device: D, asked: &Asked<'_>) -> Result<Self> {
        let Asked { backbone, rows, size, trains, .. } = *asked;
        let (trains, what) = (trains.is_some(), trains.unwrap_or("'*'"));
        let text = format!(
            "name: steps\ndata: {{ source: {{ synthetic: blood_cells }}, image: {{ size: {size} }}, batch: {rows} }}\n\
             backbone: {{ arch: {backbone} }}\nhead: [global_avg_pool, linear: {{ out: classes }}]\n\
             schedule: {{ optimizer: {{ sgd: {{ momentum: 0.9 }} }}, \
             phases: [{{ name: all, epochs: 1, train: [{what}], lr: 1e-3 }}] }}\n"
        );
        let loaded = spec::load_text("steps.yaml", &text, Path::new("."), &[])?;
        let facts = DataFacts {
            classes: (0..CLASSES).map(|class| class.to_string()).collect(),
            samples: Some(rows),
            description: "noise".to_owned(),
            fallback: false,
        };
        let plan = Plan::over(&loaded.pipeline, &loaded.dir, facts).map_err(|problems| loaded.error(&problems))?;
        let params = Start::of(&plan)?.params(&device, &plan.graph)?;
        let mut net = Net { graph: plan.graph.clone(), params };
        let mut optimizer = State::new(loaded.pipeline.schedule.optimizer.clone());
        if let Some(phase) = plan.phases.first() {
            net.params.want_grads(&phase.trainable(net.graph.params.len()));
            optimizer.begin(phase);
        }
        let ahead = Ahead::to(&device);
        Ok(Steps { device, plan, net, optimizer, batch: batch(rows, size), ahead, trains })
    }

    fn serve(mut self, warm_up: usize) -> Result<()> {
        for _ in 0..warm_up {
            self.once()?;
        }
        let rows = self.batch.labels.len();
        let cost: u64 = self.plan.graph.nodes.iter().map(|node| node.multiply_adds).sum();
        println!("{}", json!({ "multiply_adds": cost * rows as u64, "bytes": bytes(&self.plan.graph, rows) }));
        let device = self.device.clone();
        answer(|| {
            self.once()?;
            // What a GPU was asked for is not done yet.
            device.try_synchronize().map_err(|error| error.to_string())?;
            Ok(())
        })
    }

    fn once(&mut self) -> Result<()> {
        if !self.trains {
            logits(&self.device, &self.net, &self.batch, KernelSet::default())?;
            return Ok(());
        }
        let context = StepContext {
            device: &self.device,
            phase: self.plan.phases.first().ok_or("the plan has no phase")?,
            regularization: &self.plan.spec.regularization,
            targets: &LossTargets::plain(),
            penalties: &Penalties::none(),
            key: Key::new(0, Purpose::Layer),
            shared: None,
        };
        let next = (&self.batch, 0..self.batch.labels.len());
        let images = (&mut self.ahead, Some(next));
        step_ahead(&context, &mut self.net, &mut self.optimizer, &self.batch, 1.0.into(), 0, images)?;
        Ok(())
    }
}

/// What a forward pass must move: each convolution and linear map reads its input and its weights, and writes its output.
fn bytes(graph: &Graph, rows: usize) -> usize {
    let matrices =
        |node: &Node| graph.params[node.params.clone()].iter().filter(|param| param.def.dims.len() > 1).count();
    let weighted = graph.nodes.iter().enumerate().filter(|(_, node)| matrices(node) > 0);
    let values = weighted.map(|(id, node)| {
        let activations: usize = node.inputs.iter().map(|&input| graph.shape_of(input).count()).sum();
        let weights: usize = graph.params[node.params.clone()].iter().map(|param| param.def.count()).sum();
        rows * (activations + graph.shape_of(Source::Node(id)).count()) + weights
    });
    values.sum::<usize>() * size_of::<f32>()
}

/// Does as many steps as each line of the input says, and prints the seconds.
fn answer(mut step: impl FnMut() -> Result<()>) -> Result<()> {
    for line in stdin().lock().lines() {
        let count: usize = line?.trim().parse()?;
        let started = Instant::now();
        for _ in 0..count {
            step()?;
        }
        println!("{}", json!({ "seconds": started.elapsed().as_secs_f64() }));
    }
    Ok(())
}

fn batch(rows: usize, size: usize) -> Batch {
    let labels: Vec<usize> = (0..rows).map(|row| row % CLASSES).collect();
    let one_hot = |&label: &usize| (0..CLASSES).map(move |class| if class == label { 1.0 } else { 0.0 });
    Batch {
        images: noise(rows * size * size * 3),
        dims: [rows, size, size, 3],
        targets: labels.iter().flat_map(one_hot).collect(),
        samples: (0..rows as u64).collect(),
        labels,
        features: None,
    }
}

fn noise(count: usize) -> Vec<f32> {
    let mut stream = Key::new(1, Purpose::Synthetic).stream();
    (0..count).map(|_| stream.normal()).collect()
}
