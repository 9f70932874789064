//! A whole run: what is printed, what is left.

use crate::support::{Place, SMALL, folder_spec, of_kind, two_colours};
use std::fs;

#[test]
fn a_run_leaves_its_spec_events_checkpoints_and_results() {
    let place = Place::new();
    let stdout = place.train(SMALL, "run", &["--set", "seed=4"]);
    assert!(stdout.contains("phase all") && stdout.contains("epoch 3/3"), "{stdout}");
    let last = stdout.lines().last().unwrap();
    assert!(last.starts_with("done in ") && last.contains("synthetic"), "{last}");

    let file = |name: &str| fs::read_to_string(place.path().join("run").join(name)).unwrap();
    assert_eq!(file("spec.yaml"), SMALL);
    assert!(file("resolved.yaml").contains("seed: 4"));
    let metrics: serde_json::Value = serde_json::from_str(&file("metrics.json")).unwrap();
    let images: u64 = metrics["confusion"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(file("predictions.csv").lines().count() as u64, images + 1);
    for name in ["last", "best"] {
        assert!(place.path().join(format!("run/checkpoints/{name}.safetensors")).is_file());
    }

    let events = place.events("run");
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .filter(|kind| *kind != "checkpoint_saved")
        .collect();
    assert_eq!(
        kinds,
        [
            "run_started",
            "phase_started",
            "epoch_finished",
            "epoch_finished",
            "phase_finished",
            "phase_started",
            "epoch_finished",
            "phase_finished",
            "run_finished"
        ]
    );
    let finished = events.last().unwrap();
    assert_eq!(finished["reason"], "all phases are done");
    assert!(finished["test"]["accuracy"].as_f64().unwrap() > 0.3);
    assert!(finished["test"]["loss"].as_f64().unwrap().is_finite());
    let epochs: Vec<_> = of_kind(&events, "epoch_finished").collect();
    assert!(epochs[1]["train_loss"].as_f64() < epochs[0]["train_loss"].as_f64());
    assert_eq!(epochs[0]["lr"]["*"], 0.01);
    assert_eq!(epochs[2]["lr"]["head"], 0.001);
}

#[test]
fn frozen_tensors_keep_their_hash_and_what_trains_does_not() {
    let place = Place::new();
    place.train(SMALL, "run", &[]);
    let events = place.events("run");
    let hash = |kind: &'static str| {
        of_kind(&events, kind).map(|event| event["frozen_hash"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (started, finished) = (hash("phase_started"), hash("phase_finished"));
    assert_eq!(started, finished);
    assert_ne!(started[0], started[1], "the phases freeze different tensors");

    // Between the end of `all` and the end of `head` only the head may have changed.
    let started: Vec<_> = of_kind(&events, "phase_started").collect();
    assert_eq!(started[0]["frozen"], 0);
    assert_eq!(started[1]["trainable"], 16 * 3 + 3);
    assert_eq!(started[1]["frozen"], 8 * 27 + 8 + 16 + 16 * 72 + 16 + 32);
}

#[test]
fn early_stopping_says_why() {
    let place = Place::new();
    let spec = SMALL
        .replace(
            "label_smoothing: 0.05",
            "early_stopping: { metric: val_loss, patience: 1, min_delta: 100, restore_best: true }",
        )
        .replace("epochs: 2", "epochs: 9");
    place.train(&spec, "run", &[]);
    let events = place.events("run");
    let reason = events.last().unwrap()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("val_loss") && reason.contains('1'), "{reason}");
    assert_eq!(of_kind(&events, "epoch_finished").count(), 2);
    assert_eq!(of_kind(&events, "phase_finished").next().unwrap()["reason"], reason.as_str());
}

#[test]
fn a_data_set_that_cannot_be_had_falls_back_and_says_so_three_times() {
    let place = Place::new();
    let spec = SMALL.replace(
        "source: { synthetic: blood_cells }",
        "source: { dataset: blood_cells }\n  fallback: { synthetic: blood_cells }",
    );
    let stdout = place.train(&spec, "run", &["--set", "schedule.phases.0.epochs=1"]);
    let data_line = stdout.lines().find(|line| line.trim_start().starts_with("data ")).unwrap();
    assert!(data_line.contains("synthetic") && data_line.contains("could not be had"), "{data_line}");
    assert!(stdout.lines().last().unwrap().contains("synthetic"));
    let events = place.events("run");
    assert_eq!(events[0]["fallback"], true);
    assert_eq!(events.last().unwrap()["fallback"], true);
    assert!(events[0]["data"].as_str().unwrap().contains("synthetic"));
}

#[test]
fn a_phase_ends_by_a_metric_and_goes_back_to_its_best_weights() {
    let place = Place::new();
    let spec = SMALL.replace(
        "name: all, epochs: 2",
        "name: all, max_epochs: 9, until: { plateau: { patience: 2, min_delta: 100 } }, restore_best: true",
    );
    let bound = "name: head, epochs: 5, until: { metric: val_accuracy, above: 0 }";
    let stdout = place.train(&spec.replace("name: head, epochs: 1", bound), "run", &[]);
    let events = place.events("run");
    // Nothing is better than the first epoch by 100: the phase ends after two more.
    let ends: Vec<_> = of_kind(&events, "phase_finished").collect();
    let reason = ends[0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("val_loss has not improved on") && reason.ends_with("(epoch 1) for 2 epochs"),
        "{reason}"
    );
    let reason = ends[1]["reason"].as_str().unwrap();
    assert!(reason.starts_with("val_accuracy is 0.") && reason.ends_with("above 0"), "{reason}");
    let epochs: Vec<_> = of_kind(&events, "epoch_finished").collect();
    assert_eq!(epochs.len(), 4);
    assert_eq!(events.last().unwrap()["reason"], "all phases are done");

    // The best epoch by validation loss itself, not by the plateau's least change.
    let loss = |epoch: usize| epochs[epoch]["val"]["loss"].as_f64().unwrap();
    let best = (0..3).min_by(|&a, &b| loss(a).total_cmp(&loss(b))).unwrap() + 1;
    let restored = ends[0].get("restored_epoch").map_or(3, |epoch| epoch.as_u64().unwrap() as usize);
    assert_eq!(restored, best);
    assert_eq!(stdout.contains("back to the weights of epoch"), best != 3);
    assert_eq!(ends[1].get("restored_epoch"), None);
}

#[test]
fn learning_rates_follow_the_scheduler() {
    let place = Place::new();
    let spec = SMALL
        .replace("schedule:\n", "schedule:\n  scheduler: { step: { every: 1, factor: 0.5 } }\n")
        .replace("name: all, epochs: 2", "name: all, epochs: 3")
        .replace("lr: 1e-3", "lr: 1e-3, scheduler: constant");
    place.train(&spec, "run", &[]);
    let events = place.events("run");
    let rates: Vec<f64> = of_kind(&events, "epoch_finished")
        .map(|event| event["lr"].as_object().unwrap().values().next().unwrap().as_f64().unwrap())
        .collect();
    assert_eq!(rates, [0.01, 0.005, 0.0025, 0.001]);
    assert_eq!(of_kind(&events, "phase_started").next().unwrap()["lr"]["*"], 0.01);
}

#[test]
fn weights_that_are_restored_are_those_of_the_epoch() {
    // A rate that throws the net off after its first epoch: the first must be the best.
    let place = Place::new();
    let spec = SMALL
        .replace("schedule:\n", "schedule:\n  optimizer: { sgd: { momentum: 0 } }\n")
        .replace(
            "name: all, epochs: 2",
            "name: all, epochs: 3, restore_best: true, scheduler: { exponential: { factor: 1e3 } }",
        )
        .replace("lr: 1e-3", "lr: 1e-30");
    place.train(&spec, "run", &[]);
    let events = place.events("run");
    let epochs: Vec<_> = of_kind(&events, "epoch_finished").collect();
    let restored = of_kind(&events, "phase_finished").next().unwrap()["restored_epoch"].as_u64().unwrap() as usize;
    assert!(restored < 3);
    // The second phase moves nothing, so its loss is that of the epoch gone back to.
    assert_eq!(epochs[3]["val"]["loss"], epochs[restored - 1]["val"]["loss"]);
    assert_ne!(epochs[3]["val"]["loss"], epochs[2]["val"]["loss"]);
}

#[test]
fn a_later_run_checks_the_images_that_are_new_or_changed() {
    let place = Place::new();
    two_colours(&place, "cells", 30);
    let spec = format!("{}\n", folder_spec("cells").replace("data:", "data:\n  max_bad: 0.1"));
    let bad = |run: &str| -> Vec<String> {
        let events = place.events(run);
        let bad = events[0]["bad_images"].as_array().cloned().unwrap_or_default();
        bad.iter().map(ToString::to_string).collect()
    };
    place.train(&spec, "first", &[]);
    let known = || fs::read_dir(place.path().join("cache/images")).unwrap().map(|file| file.unwrap().path());
    assert_eq!(known().count(), 1);
    let of_first = fs::read(known().next().unwrap()).unwrap();
    // A mark of 16 bytes an image, and a checksum.
    assert_eq!(of_first.len(), 60 * 16 + 4);
    place.train(&spec, "second", &[]);
    assert_eq!((bad("first"), bad("second")), (Vec::new(), Vec::new()));
    assert_eq!(fs::read(known().next().unwrap()).unwrap(), of_first);
    place.write("cells/red/7.jpg", b"no image any more");
    place.train(&spec, "third", &[]);
    let found = bad("third");
    assert!(found.len() == 1 && found[0].contains("red/7.jpg"), "{found:?}");
    // What is known of a file as it was says nothing of what it is.
    for file in known().collect::<Vec<_>>() {
        fs::write(file, &of_first).unwrap();
    }
    place.train(&spec, "fourth", &[]);
    assert_eq!(bad("fourth"), found);
}
