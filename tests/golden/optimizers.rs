//! Optimizers and schedulers held against torch: 50 steps on a small net.
//!
//! `tests/peers/optimizers.py` made the numbers.

use crate::device::{Device, device, is_there};
use runner::data::Batch;
use runner::engine::Tensor;
use runner::layers::{Flatten, Linear, Shape, Sigmoid};
use runner::net::{Builder, Graph, Net, Params, Source};
use runner::optim::{Clock, schedule};
use runner::plan::{self, PhasePlan};
use runner::random::{Key, Purpose};
use runner::regularize::{History, LossTargets, Measured, Regularization};
use runner::spec::{Problems, Schedule};
use runner::train::optimizer::State;
use runner::train::penalties::Penalties;
use runner::train::step::{StepContext, step};
use serde::Deserialize;

const SAMPLES: usize = 12;
const INPUTS: usize = 5;
const HIDDEN: usize = 7;
const CLASSES: usize = 3;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    scheduler: Option<String>,
    warm_up: Option<String>,
    /// The validation loss after each step, which is an epoch here.
    metrics: Option<Vec<f64>>,
    /// The learning rate of each step.
    lr: Vec<f64>,
    /// Weights and biases after the last.
    params: Vec<Vec<f64>>,
}

impl Case {
    fn name(&self) -> String {
        format!(
            "{} {} {}",
            self.optimizer,
            self.scheduler.as_deref().unwrap_or_default(),
            self.warm_up.as_deref().unwrap_or_default()
        )
    }

    fn schedule(&self) -> Schedule {
        let lr = if self.optimizer.starts_with("sgd") { 0.1 } else { 0.01 };
        let mut yaml = format!("{{ optimizer: {{ {} }}", self.optimizer);
        if let Some(scheduler) = &self.scheduler {
            let scheduler = if scheduler.contains(':') { format!("{{ {scheduler} }}") } else { scheduler.clone() };
            yaml += &format!(", scheduler: {scheduler}");
        }
        if let Some(warm_up) = &self.warm_up {
            yaml += &format!(", warm_up: {warm_up}");
        }
        yaml += &format!(", phases: [{{ name: all, epochs: {}, train: ['*'], lr: {lr} }}] }}", self.lr.len());
        let value: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
        serde_json::from_value(value).unwrap()
    }
}

/// `sin(1.7 i + seed) / 2`.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| (0.5 * (1.7 * i as f64 + seed as f64).sin()) as f32).collect()
}

fn net() -> Net<Device> {
    let mut net = Builder::new(Shape::Image { height: 1, width: 1, channels: INPUTS });
    net.stage("net");
    let flat = net.add("flatten", Flatten {}, Source::Image).unwrap();
    let hidden = net.add("hidden", Linear::new(HIDDEN), flat).unwrap();
    let active = net.add("sigmoid", Sigmoid {}, hidden).unwrap();
    net.add("out", Linear::new(CLASSES), active).unwrap();
    let graph: Graph = net.finish();
    let drawn =
        graph.params.iter().enumerate().map(|(seed, param)| {
            Tensor::from_vec(&device(), values(param.def.count(), seed), &param.def.dims).unwrap()
        });
    let params = Params::new(drawn.collect());
    Net { graph, params }
}

fn batch() -> Batch {
    let labels: Vec<usize> = (0..SAMPLES).map(|sample| sample % CLASSES).collect();
    Batch {
        images: values(SAMPLES * INPUTS, 10),
        dims: [SAMPLES, 1, 1, INPUTS],
        targets: labels.iter().flat_map(|&label| (0..CLASSES).map(move |class| f32::from(class == label))).collect(),
        labels,
        samples: (0..SAMPLES as u64).collect(),
        features: None,
    }
}

/// Trains as a run does, with one step an epoch; gives the learning rate of each step.
fn train(case: &Case, net: &mut Net<Device>) -> Vec<f64> {
    let schedule = case.schedule();
    let mut problems = Problems::default();
    let phases: Vec<PhasePlan> = plan::phases(&schedule, &net.graph, &mut problems);
    assert_eq!(problems, Problems::default());
    let phase = &phases[0];
    net.params.want_grads(&phase.trainable(net.graph.params.len()));
    let mut optimizer = State::new(schedule.optimizer.clone());
    optimizer.begin(phase);
    let context = StepContext {
        device: &device(),
        phase,
        regularization: &Regularization::default(),
        targets: &LossTargets::plain(),
        penalties: &Penalties::none(),
        key: Key::new(0, Purpose::Layer),
        shared: None,
    };
    let mut history = History::default();
    let steps = case.lr.len() as u64;
    let rates = (0..steps).map(|number| {
        let clock = Clock { step: number, steps, steps_per_epoch: 1 };
        let factor = schedule::factor(&phase.scheduler, phase.warm_up.as_ref(), clock, &history);
        step(&context, net, &mut optimizer, &batch(), factor, number).unwrap();
        let val_loss = case.metrics.as_ref().map(|metrics| metrics[number as usize]);
        history.push(Measured { val_loss, ..Measured::default() });
        phase.groups[0].lr * factor
    });
    rates.collect()
}

/// The largest difference, as a share of the largest of torch's values.
fn difference(ours: impl IntoIterator<Item = f64>, torch: &[f64]) -> f64 {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).fold(0.0, f64::max);
    largest(&mut ours.into_iter().zip(torch).map(|(ours, torch)| ours - torch)) / largest(&mut torch.iter().copied())
}

#[test]
fn fifty_steps_are_those_of_torch() {
    if !is_there() {
        return;
    }
    let golden: Golden = serde_json::from_str(include_str!("optimizers.json")).unwrap();
    assert_eq!(golden.cases.len(), 18);
    for case in &golden.cases {
        let mut net = net();
        let rates = train(case, &mut net);
        assert_eq!(rates.len(), 50);
        let largest = rates.iter().zip(&case.lr).map(|(ours, torch)| (ours / torch - 1.0).abs()).fold(0.0, f64::max);
        assert!(largest < 1e-9, "{}: learning rates differ by {largest:.2e}", case.name());
        for (id, torch) in case.params.iter().enumerate() {
            let share = difference(net.params.get(id).to_vec().into_iter().map(f64::from), torch);
            assert!(share < 1e-5, "{}: `{}` differs by {share:.2e}", case.name(), net.graph.params[id].name);
        }
    }
}
