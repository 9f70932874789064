//! What regularization does in training: whole runs, and single steps, of a tiny net.

mod ahead;
mod averages;
mod cache;
mod losses;
mod penalties;
mod ranks;
mod reload;
mod resume;

use super::ahead::tests::FORCED;
use super::average::Average;
use super::checkpoint::{self, About};
use super::observer::{Observer, Progress};
use super::optimizer::State;
use super::penalties::Penalties;
use super::reload::{Follow, Nothing};
use super::run::{Job, train};
use super::step::{StepContext, step};
use super::{Event, RunDir, StopFlag};
use crate::data::{self, Batch, Dataset};
use crate::engine::{Cpu, Tensor};
use crate::metrics::{Answers, Confusion};
use crate::net::{Net, Params};
use crate::plan::Plan;
use crate::random::{Key, Purpose};
use crate::ranks::Ranks;
use crate::regularize::LossTargets;
use crate::spec::{self, Override, resolved};
use crate::weights::{WeightFile, init};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const SPEC: &str = r#"
name: tiny
seed: 5
data:
  source: { folder: images }
  image: { size: 8 }
  split: { train: 0.5, val: 0.25, test: 0.25 }
  batch: 7
layers:
  - conv2d: { out: 6, kernel: 3, stride: 2, padding: 1 }
  - batch_norm
  - relu
head:
  - global_avg_pool
  - linear: { out: classes }
schedule:
  optimizer: { sgd: { momentum: 0 } }
  phases:
    - { name: all, epochs: 3, train: ["*"], lr: 0.1 }
    - { name: head, epochs: 2, train: [head], lr: 0.05 }
# At the end of each epoch, however short it was.
checkpoint: { every: 1000000 }
"#;

/// A folder with 24 reddish and 12 bluish images.
fn images() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Key::new(2, Purpose::Synthetic).stream();
    for (class, count, red, blue) in [("blue", 12, 60, 140), ("red", 24, 140, 60)] {
        std::fs::create_dir_all(dir.path().join("images").join(class)).unwrap();
        for number in 0..count {
            let path = dir.path().join(format!("images/{class}/{number}.png"));
            let mut noise = |around: u8| around + random.below(80) as u8 - 20;
            image::RgbImage::from_fn(8, 8, |_, _| image::Rgb([noise(red), noise(90), noise(blue)])).save(path).unwrap();
        }
    }
    dir
}

fn planned(dir: &Path, sets: &[&str]) -> Plan {
    let sets: Vec<Override> = sets.iter().map(|set| Override((*set).to_owned())).collect();
    let loaded = spec::load_text("tiny.yaml", SPEC, dir, &sets).unwrap();
    Plan::new(&loaded.pipeline, dir).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn drawn(plan: &Plan) -> Net<Cpu> {
    let key = Key::new(plan.spec.seed, Purpose::Init);
    let tensors = plan.graph.params.iter().map(|param| {
        let values = init::draw(&param.def, crate::layers::Init::Kaiming, key.named(&param.name));
        Tensor::from_vec(&Cpu::default(), values, &param.def.dims).unwrap()
    });
    Net { graph: plan.graph.clone(), params: Params::new(tensors.collect()) }
}

fn dataset(plan: &Plan, dir: &Path) -> Dataset {
    data::open(&plan.spec.data, dir, plan.spec.seed).unwrap()
}

/// Tensors by name.
type Weights = BTreeMap<String, Vec<f32>>;

/// What a run left.
struct Ran {
    dir: tempfile::TempDir,
    events: Vec<Value>,
    /// The weights in `last.safetensors` at the end of each epoch.
    epochs: Vec<Weights>,
    /// Images of each epoch that was trained.
    drawn: Vec<usize>,
    /// The mean loss of the epoch so far, after each step.
    losses: Vec<f64>,
}

impl Ran {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("run/checkpoints").join(format!("{name}.safetensors"))
    }

    fn weights(&self, name: &str) -> Weights {
        weights(&self.file(name))
    }

    fn about(&self, name: &str) -> About {
        checkpoint::about(&WeightFile::open(&self.file(name)).unwrap()).unwrap()
    }

    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == kind).collect()
    }
}

fn weights(file: &Path) -> Weights {
    let mut file = WeightFile::open(file).unwrap();
    let names: Vec<String> = file.tensors().map(|(name, ..)| name.to_owned()).collect();
    names.into_iter().map(|name| (name.clone(), file.read(&name).unwrap())).collect()
}

struct Watcher {
    last: PathBuf,
    epochs: Vec<Weights>,
    drawn: Vec<usize>,
    losses: Vec<f64>,
    ended: bool,
}

impl Observer for Watcher {
    fn event(&mut self, event: &Event) {
        match event {
            Event::EpochFinished { .. } => self.ended = true,
            Event::CheckpointSaved { file, .. } if file.contains("last") && std::mem::take(&mut self.ended) => {
                self.epochs.push(weights(&self.last));
            }
            _ => {}
        }
    }

    fn progress(&mut self, progress: Progress<'_>) {
        self.losses.extend(progress.loss);
        if FORCED.get() {
            // What comes next is made meanwhile.
            std::thread::sleep(Duration::from_millis(5));
        }
        if progress.loss.is_some() && progress.done == progress.total {
            self.drawn.push(progress.total);
        }
    }

    fn tested(&mut self, _: &[String], _: &Answers, _: &Confusion) {}
}

/// Runs the spec with values in place of its own.
fn run(sets: &[&str]) -> Ran {
    follow(images(), sets, Box::new(Nothing))
}

/// The same, with other specs while it goes on.
fn follow(dir: tempfile::TempDir, sets: &[&str], follow: Box<dyn Follow>) -> Ran {
    let plan = Arc::new(planned(dir.path(), sets));
    let run_dir = RunDir::at(dir.path().join("run")).unwrap();
    let job = Job {
        plan: Arc::clone(&plan),
        data: dataset(&plan, dir.path()),
        bad: Vec::new(),
        dir: &run_dir,
        features: dir.path().join("features"),
        stop: StopFlag::default(),
        workers: 2,
        ranks: Ranks::alone(),
        batches_a_step: 1,
        follow,
        written: resolved::absolute(&plan.spec, dir.path()),
        number: 1,
        command: "runner tiny.yaml".to_owned(),
    };
    let mut watcher =
        Watcher { last: run_dir.last(), epochs: Vec::new(), drawn: Vec::new(), losses: Vec::new(), ended: false };
    train(&Cpu::default(), drawn(&plan), job, "random".to_owned(), &mut watcher).unwrap();
    let events = std::fs::read_to_string(dir.path().join("run/events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let Watcher { epochs, drawn, losses, .. } = watcher;
    Ran { dir, events, epochs, drawn, losses }
}

/// A net that takes steps on one batch.
struct Steps {
    plan: Plan,
    net: Net<Cpu>,
    penalties: Penalties<Cpu>,
    average: Option<Average<Cpu>>,
    optimizer: State<Cpu>,
    taken: u64,
}

impl Steps {
    fn new(sets: &[&str]) -> Self {
        Self::of(planned(images().path(), sets))
    }

    fn of(plan: Plan) -> Self {
        let net = drawn(&plan);
        Steps {
            penalties: Penalties::new(&plan, &net),
            average: Average::new(&plan.spec.regularization, &net),
            optimizer: State::new(plan.spec.schedule.optimizer.clone()),
            taken: 0,
            net,
            plan,
        }
    }

    /// So many steps in a phase.
    fn take(&mut self, phase: usize, count: u64) {
        let phase = &self.plan.phases[phase];
        self.net.params.want_grads(&phase.trainable(self.net.graph.params.len()));
        self.optimizer.begin(phase);
        if let Some(average) = &mut self.average {
            average.begin(phase, &self.net);
        }
        let context = StepContext {
            device: &Cpu::default(),
            phase,
            regularization: &self.plan.spec.regularization,
            targets: &LossTargets::plain(),
            penalties: &self.penalties,
            key: Key::new(1, Purpose::Layer),
            shared: None,
        };
        for _ in 0..count {
            step(&context, &mut self.net, &mut self.optimizer, &batch(), 1.0, self.taken).unwrap();
            if let Some(average) = &mut self.average {
                average.step(phase, &self.net).unwrap();
            }
            self.taken += 1;
        }
    }

    /// All values, by name.
    fn weights(&self) -> Weights {
        let values = self.net.params.tensors().iter().map(Tensor::to_vec);
        self.net.graph.params.iter().map(|param| param.name.clone()).zip(values).collect()
    }
}

fn batch() -> Batch {
    let mut random = Key::new(3, Purpose::Synthetic).stream();
    let labels = vec![0, 1, 1, 0];
    Batch {
        images: (0..4 * 8 * 8 * 3).map(|_| random.range(-1.0, 1.0)).collect(),
        dims: [4, 8, 8, 3],
        targets: labels.iter().flat_map(|&label| (0..2).map(move |class| f32::from(class == label))).collect(),
        labels,
        samples: vec![0, 1, 2, 3],
        features: None,
    }
}

/// The names of the weights that penalties are on.
const DECAYING: [&str; 2] = ["head.1.weight", "layers.0.weight"];

/// Panics unless two values are close.
#[track_caller]
fn near(found: f32, expected: f64, tolerance: f64) {
    let off = (f64::from(found) - expected).abs();
    assert!(off <= tolerance * (1.0 + expected.abs()), "{found} for {expected}");
}
