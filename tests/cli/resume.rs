//! Runs that were killed go on as if they had not been.

use crate::support::{Place, folder_spec, of_kind, tensors, two_colours};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Three phases that end by plateaus or epochs, one with its best weights, a moving average, batches in pieces,
/// and checkpoints within epochs.
fn spec() -> String {
    let (before, _) = folder_spec("cells").split_once("regularization:").map(|(a, b)| (a.to_owned(), b.len())).unwrap();
    before.replace("batch: 64", "batch: 16\n  micro_batch: 6")
        + r#"
regularization:
  label_smoothing: 0.05
  ema: { decay: 0.9 }
  l2: 1e-4
  gradient_noise: { eta: 0.01 }
  early_stopping: { patience: 9, restore_best: true }
schedule:
  scheduler: { reduce_on_plateau: { patience: 1, factor: 0.5 } }
  phases:
    - { name: head, max_epochs: 5, until: { plateau: { patience: 1 } }, restore_best: true, train: [head], lr: 3e-2 }
    - { name: all, max_epochs: 4, until: { plateau: { patience: 2 } }, train: ["*"], lr: 1e-2, rewarm: 1 }
    - { name: again, epochs: 3, restore_best: true, train: [head], lr: 1e-2 }
checkpoint: { every: 3, keep: 3 }
"#
}

fn place() -> Place {
    let place = Place::new();
    two_colours(&place, "cells", 60);
    place.write("spec.yaml", spec());
    place
}

fn start(place: &Place, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(args)
        .current_dir(place.path())
        .env("RUNNER_CACHE", place.path().join("cache"))
        .env_remove("RUNNER_DATA")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The events without what depends on the clock, and without those that tell of interruptions.
fn story(place: &Place, run: &str) -> Vec<Value> {
    let mut events = place.events(run);
    events.retain(|event| event["event"] != "run_resumed");
    for event in &mut events {
        for key in ["time", "seconds", "images_per_second", "run_dir"] {
            event.as_object_mut().unwrap().remove(key);
        }
    }
    events
}

#[track_caller]
fn same_run(place: &Place, one: &str, other: &str) {
    let (first, second) = (story(place, one), story(place, other));
    for (a, b) in first.iter().zip(&second) {
        assert_eq!(a, b);
    }
    assert_eq!(first.len(), second.len());
    for file in ["checkpoints/last.safetensors", "checkpoints/best.safetensors"] {
        let path = |run: &str| place.path().join(run).join(file);
        assert!(tensors(&path(one)) == tensors(&path(other)), "{file} differs");
    }
    for file in ["metrics.json", "predictions.csv", "weights.json"] {
        let read = |run: &str| fs::read_to_string(place.path().join(run).join(file)).unwrap();
        assert_eq!(read(one), read(other), "{file}");
    }
}

#[track_caller]
fn nothing_unfinished(place: &Place, run: &str) {
    for folder in [run.to_owned(), format!("{run}/checkpoints")] {
        for entry in fs::read_dir(place.path().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with('.'), "{name} was left");
        }
    }
}

/// `RUNNER_KILLS` moments, 4 by default.
#[cfg(unix)]
#[test]
fn killed_at_any_moment_it_ends_as_if_it_had_not_been() {
    let place = place();
    let begun = Instant::now();
    place.runner(&["spec.yaml", "--run-dir", "unbroken"]).assert().success();
    let whole = begun.elapsed();
    let events = place.events("unbroken");
    let ends: Vec<&str> = of_kind(&events, "phase_finished").map(|event| event["reason"].as_str().unwrap()).collect();
    assert_eq!(ends.len(), 3);
    assert!(ends.iter().any(|why| why.contains("not improved")), "no phase ended by its plateau: {ends:?}");
    let kills: u32 = std::env::var("RUNNER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4);
    let mut resumed = 0;
    for kill in 0..kills {
        let run = format!("killed-{kill}");
        let mut child = start(&place, &["spec.yaml", "--run-dir", &run]);
        // Spread over the run, and no two tests at the same moments.
        let noise =
            u64::from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_micros());
        let part = (f64::from(kill) + (noise % 1000) as f64 / 1000.0) / f64::from(kills);
        std::thread::sleep(whole.mul_f64(part).max(Duration::from_millis(30)));
        // One in three is killed twice.
        for _ in 0..=usize::from(kill % 3 == 2) {
            child.kill().unwrap();
            child.wait().unwrap();
            if !place.path().join(&run).join("resolved.yaml").exists() {
                break;
            }
            child = start(&place, &["resume", &run]);
            std::thread::sleep(whole.mul_f64((1.0 - part) / 2.0));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if !place.path().join(&run).join("resolved.yaml").exists() {
            continue;
        }
        place.runner(&["resume", &run]).assert().success();
        same_run(&place, "unbroken", &run);
        nothing_unfinished(&place, &run);
        resumed += 1;
        fs::remove_dir_all(place.path().join(&run)).unwrap();
    }
    assert!(resumed > 0, "every run was killed before it began");
}

/// Trains until so many steps are done, and kills the run.
fn killed_after(place: &Place, run: &str, step: u64) {
    let mut child = start(place, &["spec.yaml", "--run-dir", run]);
    let begun = Instant::now();
    let reached = || {
        let text = fs::read_to_string(place.path().join(run).join("events.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|event| {
            event["event"] == "checkpoint_saved" && event["step"].as_u64().is_some_and(|found| found >= step)
        })
    };
    while !reached() {
        assert!(begun.elapsed() < Duration::from_mins(2), "no step {step} within two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Puts a damaged file in the place of a checkpoint. A run that was killed while it saved may hold the same
/// file under two names; what the other name holds stays whole.
fn damage(checkpoint: &Path, bytes: &[u8]) {
    fs::remove_file(checkpoint).unwrap();
    fs::write(checkpoint, bytes).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_one_before_is_taken() {
    let place = place();
    place.runner(&["spec.yaml", "--run-dir", "unbroken"]).assert().success();
    killed_after(&place, "run", 9);
    let last = place.path().join("run/checkpoints/last.safetensors");
    let whole = fs::read(&last).unwrap();
    damage(&last, &whole[..whole.len() / 2]);
    let is_there = |name: &&str| place.path().join(format!("run/checkpoints/{name}.safetensors")).exists();
    let before = ["last-1", "last-2"].into_iter().find(is_there).unwrap();
    let output = place.runner(&["resume", "run"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.contains(&format!("going on from checkpoints/{before}.safetensors")), "{text}");
    same_run(&place, "unbroken", "run");

    killed_after(&place, "hopeless", 9);
    for name in ["last", "last-1", "last-2"] {
        damage(&place.path().join(format!("hopeless/checkpoints/{name}.safetensors")), &whole[..100]);
    }
    let output = place.runner(&["resume", "hopeless"]).assert().code(1);
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(text.contains("no checkpoint of the run is whole"), "{text}");
    assert!(text.contains("last-2.safetensors"), "{text}");
}

#[test]
fn two_runners_do_not_share_a_run() {
    let place = place();
    killed_after(&place, "run", 3);
    let mut first = start(&place, &["resume", "run"]);
    let lock = place.path().join("run/lock");
    let begun = Instant::now();
    while fs::read_to_string(&lock).unwrap_or_default() != first.id().to_string() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the lock was never taken");
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = place.runner(&["resume", "run"]).assert().code(1);
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(text.contains(&format!("another runner (process {}) is at work", first.id())), "{text}");
    first.kill().unwrap();
    first.wait().unwrap();
    place.runner(&["resume", "run"]).assert().success();
    let output = place.runner(&["resume", "run"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.contains("the run is finished, nothing is left to do"), "{text}");
}

#[test]
fn other_images_are_refused() {
    let place = place();
    killed_after(&place, "run", 3);
    place.write("cells/red/another.jpg", crate::support::jpeg(180, 30, 20, 99));
    let output = place.runner(&["resume", "run"]).assert().code(1);
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(text.contains("not those that the run began with"), "{text}");
}

#[test]
fn a_spec_finds_its_unfinished_run() {
    let place = place();
    place.runner(&["spec.yaml", "--run-dir", "unbroken"]).assert().success();
    killed_after(&place, "runs/small/20260101-000000-aaaa", 3);
    let output = place.runner(&["spec.yaml", "--resume"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.contains("going on after epoch"), "{text}");
    same_run(&place, "unbroken", "runs/small/20260101-000000-aaaa");
}
