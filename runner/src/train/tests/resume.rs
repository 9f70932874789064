//! Runs that are stopped and go on, and checkpoints that are damaged.

use super::reload::{Save, saved};
use super::{Watcher, Weights, dataset, drawn, images, planned, run, weights};
use crate::engine::Cpu;
use crate::ranks::Ranks;
use crate::spec::resolved;
use crate::train::reload::replayed::Past;
use crate::train::reload::{At, Follow, Offer, Replayed};
use crate::train::run::{Checkpoint, Job, Outcome, resume, train};
use crate::train::{RunDir, StopFlag};
use serde_json::Value;
use std::fs;
use std::sync::Arc;

/// Saves while a run goes on, and where it is stopped from outside.
struct Stopped {
    saves: Replayed,
    at: u64,
    stop: StopFlag,
}

impl Follow for Stopped {
    fn latest(&mut self, at: At) -> Option<Offer> {
        if at.step == self.at {
            self.stop.raise();
        }
        self.saves.latest(at)
    }
}

/// A run that is stopped in the step after so many, and goes on; its losses, events and weights.
pub fn stopped_at(at: u64, sets: &[&str], saves: &[Save<'_>]) -> (Vec<f64>, Vec<Value>, Weights) {
    let dir = images();
    let run_dir = RunDir::at(dir.path().join("run")).unwrap();
    let past = |saves: &[Save<'_>]| -> Vec<Past> {
        saves.iter().map(|(step, stage, replaced)| saved(dir.path(), *step, stage, replaced)).collect()
    };
    let job = |number: usize, at: u64| {
        let plan = match number {
            1 => planned(dir.path(), sets),
            number => past(&saves[number - 2..]).remove(0).prepared.plan,
        };
        let stop = StopFlag::default();
        Job {
            data: dataset(&plan, dir.path()),
            bad: Vec::new(),
            dir: &run_dir,
            features: dir.path().join("features"),
            stop: stop.clone(),
            workers: 2,
            ranks: Ranks::alone(),
            batches_a_step: 1,
            follow: Box::new(Stopped { saves: Replayed::new(past(saves)), at, stop }),
            written: resolved::absolute(&plan.spec, dir.path()),
            number,
            command: String::new(),
            plan: Arc::new(plan),
        }
    };
    let mut watcher =
        Watcher { last: run_dir.last(), epochs: Vec::new(), drawn: Vec::new(), losses: Vec::new(), ended: false };
    let first = job(1, at);
    let net = drawn(&first.plan);
    if train(&Cpu::default(), net, first, "random".to_owned(), &mut watcher).unwrap() == Outcome::Interrupted {
        let checkpoint = Checkpoint::latest(&run_dir).unwrap().unwrap();
        assert!(checkpoint.about.position.step >= at);
        let pending = checkpoint.state.pending.map(|number| *past(&saves[number - 2..]).remove(0).prepared);
        let mut second = job(checkpoint.state.spec, u64::MAX);
        let taken = checkpoint.state.pending.unwrap_or(checkpoint.state.spec);
        second.follow = Box::new(Replayed::new(past(&saves[taken - 1..])));
        let net = drawn(&second.plan);
        let outcome = resume(&Cpu::default(), net, second, checkpoint, pending, &mut watcher).unwrap();
        assert_eq!(outcome, Outcome::Finished);
    }
    (watcher.losses, story(&run_dir), weights(&run_dir.last()))
}

/// The events without what is of the clock, and what is of the break.
fn story(dir: &RunDir) -> Vec<Value> {
    let events = fs::read_to_string(dir.file("events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = |event: &Value| !["run_resumed", "checkpoint_saved"].contains(&event["event"].as_str().unwrap());
    let mut story: Vec<Value> = events.filter(told).collect();
    for event in &mut story {
        for key in ["time", "seconds", "images_per_second", "run_dir", "data"] {
            event.as_object_mut().unwrap().remove(key);
        }
    }
    story
}

/// The run is the same, wherever it is stopped. `steps` is how many it has.
fn is_the_same_wherever_it_is_stopped(steps: u64, sets: &[&str], saves: &[Save<'_>]) {
    let whole = stopped_at(u64::MAX, sets, saves);
    assert_eq!(whole.0.len() as u64, steps);
    for at in 0..steps {
        let broken = stopped_at(at, sets, saves);
        assert_eq!(whole.0, broken.0, "losses, stopped after {at}");
        assert_eq!(whole.1, broken.1, "events, stopped after {at}");
        assert!(whole.2 == broken.2, "weights, stopped after {at}");
    }
}

#[test]
fn a_run_that_is_stopped_anywhere_ends_as_if_it_had_not_been() {
    is_the_same_wherever_it_is_stopped(
        15,
        &[
            "regularization={ ema: { decay: 0.8 }, gradient_noise: { eta: 0.1 }, early_stopping: { patience: 9, restore_best: true } }",
            "schedule.optimizer={ adamw: {} }",
            "schedule.phases.0.restore_best=true",
            "data.micro_batch=4",
        ],
        &[],
    );
    is_the_same_wherever_it_is_stopped(
        15,
        &["regularization={ swa: { from_epoch: 2 } }", "schedule.scheduler=cosine"],
        &[],
    );
}

#[test]
fn a_run_whose_spec_is_saved_may_be_stopped_anywhere_too() {
    const OPTIMIZER: (&str, &str) = ("sgd: { momentum: 0 }", "adamw: {}");
    const HEAD: (&str, &str) = ("  - global_avg_pool\n", "  - global_avg_pool\n  - linear: { out: 5 }\n  - relu\n");
    const RATE: (&str, &str) = ("lr: 0.1", "lr: 0.02");
    let saves: [Save<'_>; 3] =
        [(2, "epoch", &[OPTIMIZER]), (4, "epoch", &[OPTIMIZER, HEAD]), (7, "epoch", &[OPTIMIZER, HEAD, RATE])];
    is_the_same_wherever_it_is_stopped(15, &[], &saves);
}

#[test]
fn a_checkpoint_that_is_cut_anywhere_is_known_and_the_one_before_is_taken() {
    let ran = run(&["layers.0.conv2d.out=1200", "checkpoint.keep=3"]);
    let dir = RunDir::open(ran.dir.path().join("run"));
    let whole = fs::read(dir.last()).unwrap();
    let before = Checkpoint::latest(&dir).unwrap().unwrap();
    assert_eq!((before.name.as_str(), before.notes.len()), ("checkpoints/last.safetensors", 0));
    let cuts: Vec<usize> = (0..whole.len()).step_by(4096).chain([1, 7, 8, 9, whole.len() - 1]).collect();
    assert!(cuts.len() > 20, "{}", whole.len());
    for cut in cuts {
        fs::write(dir.last(), &whole[..cut]).unwrap();
        let taken = Checkpoint::latest(&dir).unwrap().unwrap();
        assert_eq!(taken.name, "checkpoints/last-1.safetensors", "cut at {cut}");
        assert_eq!(taken.notes.len(), 2, "cut at {cut}: {:?}", taken.notes);
    }
    // One bit anywhere is enough.
    for at in (0..whole.len()).step_by(8191) {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        fs::write(dir.last(), damaged).unwrap();
        assert_eq!(Checkpoint::latest(&dir).unwrap().unwrap().name, "checkpoints/last-1.safetensors", "bit in {at}");
    }
    for count in 0..3 {
        fs::write(dir.before_last(count), "x").unwrap();
    }
    let error = Checkpoint::latest(&dir).err().unwrap().to_string();
    assert!(error.starts_with("no checkpoint of the run is whole") && error.contains("last-2"), "{error}");
    for count in 0..3 {
        fs::remove_file(dir.before_last(count)).unwrap();
    }
    assert!(Checkpoint::latest(&dir).unwrap().is_none());
}

/// What was kept is gone with the process, and computed again.
#[test]
fn a_run_that_keeps_features_ends_the_same_as_well() {
    is_the_same_wherever_it_is_stopped(
        15,
        &[
            "augmentation={ train: [{ rotate: { degrees: 30 } }], features: [mixup] }",
            "cache={ views: 2 }",
            "schedule.phases=[{ name: head, epochs: 2, train: [head], lr: 0.1 }, { name: all, epochs: 1, train: ['*'], \
             lr: 0.1 }, { name: last, epochs: 2, train: [head], lr: 0.1 }]",
        ],
        &[],
    );
}

/// Where epochs are short, not each of them is saved; it makes no difference.
#[test]
fn a_run_that_saves_now_and_then_ends_the_same_as_well() {
    for more in ["early_stopping: { patience: 9, restore_best: true }", "ema: { decay: 0.8 }"] {
        is_the_same_wherever_it_is_stopped(
            15,
            &[
                "checkpoint={ keep: 2 }",
                &format!("regularization={{ {more} }}"),
                "schedule.phases.0.restore_best=true",
                "schedule.phases.0.lr=2.0",
            ],
            &[],
        );
    }
}

/// As a kill leaves it: the best weights may be of an epoch after the checkpoint.
#[test]
fn what_was_put_off_is_in_the_files_when_a_run_ends() {
    let sets = ["checkpoint={ keep: 2 }", "regularization={ early_stopping: { patience: 9 } }"];
    let (seldom, often) = (run(&sets), run(&sets[1..]));
    let saved = |ran: &super::Ran| ran.of_kind("checkpoint_saved").len();
    assert!(saved(&seldom) < saved(&often), "{} and {}", saved(&seldom), saved(&often));
    for name in ["last", "best"] {
        assert!(seldom.weights(name) == often.weights(name), "{name}");
        assert_eq!(seldom.about(name).position, often.about(name).position, "{name}");
    }
}

/// Values that are rounded where they are kept are not computed on from: after a break they would be others.
#[test]
fn rounded_features_are_the_same_after_a_break() {
    is_the_same_wherever_it_is_stopped(
        12,
        &[
            "layers=[{ conv2d: { out: 6, kernel: 3, stride: 2, padding: 1 } }, batch_norm, relu, \
             { conv2d: { out: 9, kernel: 3, padding: 1 } }, batch_norm, relu]",
            "cache={ precision: f16 }",
            "schedule.phases=[{ name: top, epochs: 2, train: [head, layers.3-4], lr: 0.1 }, \
             { name: head, epochs: 2, train: [head], lr: 0.1 }]",
        ],
        &[],
    );
}
