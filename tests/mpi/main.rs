//! `mpirun -n 2 runner ...`: what a user types, and what they see. Each test says so and does nothing where there is no
//! `mpirun`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A net on generated images. Its convolutions have no bias: before batch norm the gradient of one is rounding alone,
/// which `AdamW` makes steps of.
const SPEC: &str = r#"
name: ranks
seed: 3
data:
  source: { synthetic: blood_cells }
  image: { size: 24 }
  batch: 32
layers:
  - conv2d: { out: 8, kernel: 3, stride: 2, padding: 1, bias: false }
  - batch_norm
  - relu
  - conv2d: { out: 16, kernel: 3, stride: 2, padding: 1, bias: false }
  - batch_norm
  - relu
head:
  - global_avg_pool
  - dropout: 0.1
  - linear: { out: classes }
augmentation:
  train:
    - horizontal_flip: 0.5
schedule:
  phases:
    - { name: all, epochs: 2, train: ["*"], lr: 1e-2 }
    - { name: head, epochs: 1, train: [head], lr: 1e-3 }
"#;

struct Place(tempfile::TempDir);

impl Place {
    /// A folder with the spec; none where there is no `mpirun`.
    fn new() -> Option<Self> {
        if Command::new("mpirun").arg("--version").output().is_err() {
            eprintln!("skipped: there is no mpirun");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("spec.yaml"), SPEC).unwrap();
        Some(Place(dir))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.0.path()).env("RUNNER_CACHE", self.path("cache")).env("NO_COLOR", "1");
        // Tests may be run as root, on fewer cores than ranks.
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        command.env("OMPI_MCA_rmaps_base_oversubscribe", "1").env("OMPI_MCA_hwloc_base_binding_policy", "none");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn alone(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_runner"), args).output().unwrap()
    }

    fn by(&self, ranks: usize, args: &[&str]) -> Command {
        let ranks = ranks.to_string();
        self.command("mpirun", &[&["-n", &ranks, env!("CARGO_BIN_EXE_runner")], args].concat())
    }

    /// The values of a checkpoint, by name.
    fn weights(&self, run: &str) -> BTreeMap<String, Vec<f32>> {
        let bytes = fs::read(self.path(run).join("checkpoints/last.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let values = |data: &[u8]| bytemuck::pod_collect_to_vec(data);
        file.tensors().into_iter().map(|(name, tensor)| (name, values(tensor.data()))).collect()
    }
}

fn events(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn losses(run: &Path, of: impl Fn(&Value) -> f64) -> Vec<f64> {
    events(run).iter().filter(|event| event["event"] == "epoch_finished").map(of).collect()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-5 * (1.0 + b.abs()));
    assert!(near, "{found:?} for {expected:?}");
}

/// Two ranks come to the losses of one with the double batch.
#[track_caller]
fn come_to_the_same(sets: &[&str]) {
    let Some(place) = Place::new() else { return };
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let out = succeeded(&place.by(2, &[&["spec.yaml", "--run-dir", "two"], &sets[..]].concat()).output().unwrap());
    assert!(out.contains("ranks    2, batch 32 each: 64 a step"), "{out}");
    assert_eq!(out.matches("done in").count(), 1, "one of them speaks: {out}");
    succeeded(&place.alone(&[&["spec.yaml", "--run-dir", "one", "--set", "data.batch=64"], &sets[..]].concat()));
    for of in ["train_loss", "train_accuracy"] {
        let of_run = |run| losses(&place.path(run), |event| event[of].as_f64().unwrap());
        near(&of_run("two"), &of_run("one"));
    }
    let val = |run| losses(&place.path(run), |event| event["val"]["loss"].as_f64().unwrap());
    near(&val("two"), &val("one"));
    let (found, expected) = (place.weights("two"), place.weights("one"));
    assert!(found.keys().eq(expected.keys()));
    for (name, expected) in &expected {
        let near = found[name].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3 * (1.0 + b.abs()));
        assert!(near, "{name}: {:?} for {expected:?}", found[name]);
    }
}

#[test]
fn with_batch_norm_that_follows_the_batch() {
    come_to_the_same(&[]);
}

#[test]
fn with_a_frozen_prefix_whose_features_are_kept() {
    come_to_the_same(&[
        "augmentation.train=[]",
        "schedule.phases=[{ name: head, epochs: 2, train: [head], lr: 1e-2 }, \
         { name: top, epochs: 1, train: [head, layers.3-4], lr: 1e-2, batch_norm: frozen }]",
    ]);
}

#[test]
fn with_all_unfrozen_and_frozen_batch_norm() {
    come_to_the_same(&["schedule.phases=[{ name: all, epochs: 2, train: ['*'], lr: 1e-2, batch_norm: frozen }]"]);
}

/// The processes of the ranks that an `mpirun` started.
fn ranks_of(mpirun: &Child) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", mpirun.id())).unwrap_or_default();
    children.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Waits until a run has done so many epochs.
fn wait_for_epochs(run: &Path, count: usize) {
    let begun = Instant::now();
    while losses(run, |_| 0.0).len() < count {
        assert!(begun.elapsed() < Duration::from_mins(2), "no epoch within two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// So long that it can be broken off, and its position often saved.
const LONG: [&str; 6] = [
    "spec.yaml",
    "--set",
    "schedule.phases=[{ name: all, epochs: 8, train: ['*'], lr: 1e-2 }]",
    "--set",
    "checkpoint.every=5",
    "--run-dir",
];

/// One rank is killed; the run goes on by as many to the same bits, and by one within rounding.
#[test]
#[cfg(target_os = "linux")]
fn one_rank_killed_ends_the_others_and_the_run_goes_on() {
    let Some(place) = Place::new() else { return };
    succeeded(&place.by(2, &[&LONG[..], &["whole"]].concat()).output().unwrap());
    for (run, goes_on) in [("by_two", 2), ("by_one", 1)] {
        let mpirun = place.by(2, &[&LONG[..], &[run]].concat()).spawn().unwrap();
        wait_for_epochs(&place.path(run), 2);
        let victim = ranks_of(&mpirun)[1].to_string();
        assert!(Command::new("kill").args(["-KILL", &victim]).status().unwrap().success());
        let output = mpirun.wait_with_output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("signal 9"), "{said}");
        let resumed = match goes_on {
            1 => place.alone(&["resume", run]),
            count => place.by(count, &["resume", run]).output().unwrap(),
        };
        succeeded(&resumed);
        let notes = events(&place.path(run)).iter().find(|event| event["event"] == "run_resumed").cloned().unwrap();
        if goes_on == 2 {
            assert_eq!(place.weights(run), place.weights("whole"));
        } else {
            let of_run = |run| losses(&place.path(run), |event| event["train_loss"].as_f64().unwrap());
            near(&of_run(run), &of_run("whole"));
            assert!(notes["notes"][0].as_str().unwrap().contains("the run began with 2 ranks"), "{notes}");
        }
    }
}

/// What is told to one rank holds for all: they stop after the same step, with the position saved.
#[test]
#[cfg(target_os = "linux")]
fn told_to_stop_on_one_rank_all_do() {
    let Some(place) = Place::new() else { return };
    let mpirun = place.by(2, &[&LONG[..], &["run"]].concat()).spawn().unwrap();
    wait_for_epochs(&place.path("run"), 1);
    let told = ranks_of(&mpirun)[1].to_string();
    assert!(Command::new("kill").args(["-TERM", &told]).status().unwrap().success());
    let output = mpirun.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("`runner resume run` goes on"), "{said}");
    assert!(events(&place.path("run")).iter().any(|event| event["event"] == "run_interrupted"));
    succeeded(&place.by(2, &["resume", "run"]).output().unwrap());
}

#[test]
fn an_error_on_one_rank_ends_all_with_its_reason() {
    let Some(place) = Place::new() else { return };
    let runner = env!("CARGO_BIN_EXE_runner");
    let apart = |other: &[&str]| {
        let args = [&["-n", "1", runner, "spec.yaml", "--run-dir", "run", ":", "-n", "1", runner], other].concat();
        let output = place.command("mpirun", &args).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = apart(&["missing.yaml", "--run-dir", "run"]);
    assert!(said.contains("error: rank 1 of 2 (counted from 0) stopped: ") && said.contains("missing.yaml"), "{said}");
    let said = apart(&["spec.yaml", "--run-dir", "run", "--set", "seed=4"]);
    assert!(said.contains("error: the ranks differ in the pipeline: rank 0 has "), "{said}");
    assert_eq!(said.matches("error: the ranks differ").count(), 1, "{said}");
}

#[test]
fn other_commands_are_done_by_one_process() {
    let Some(place) = Place::new() else { return };
    let planned = succeeded(&place.by(2, &["plan", "spec.yaml"]).output().unwrap());
    assert_eq!(planned.matches("2 ranks, batch 32 each: 64 a step").count(), 1, "{planned}");
    let output = place.by(2, &["evaluate", "run"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("this command is done by one: start it without mpirun"), "{said}");
}
