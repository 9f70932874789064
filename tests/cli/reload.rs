//! A spec that is saved while its run goes on.

use crate::plugin_support::{PLAIN, has_cc, place_with, pointwise};
use crate::support::{Place, folder_spec, of_kind, two_colours};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// A run that follows its spec.
struct Live {
    place: Place,
    child: Child,
}

impl Live {
    /// Starts the spec, and waits until an epoch is done.
    fn start(place: Place, spec: &str, more: &[&str]) -> Self {
        place.write("spec.yaml", spec);
        let child = Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(["spec.yaml", "--run-dir", "run", "--watch"])
            .args(more)
            .current_dir(place.path())
            .env("RUNNER_CACHE", place.path().join("cache"))
            .env_remove("RUNNER_DATA")
            .stdin(Stdio::null())
            .stdout(File::create(place.path().join("stdout")).unwrap())
            .stderr(File::create(place.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let live = Live { place, child };
        live.wait_for(1, &["epoch_finished"]);
        live
    }

    fn spec(&self) -> PathBuf {
        self.place.path().join("spec.yaml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.spec()).unwrap()
    }

    /// The events so far; a line that is being written is left out.
    fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.place.path().join("run/events.jsonl")).unwrap_or_default();
        text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until there are so many events of these kinds; gives the last.
    #[track_caller]
    fn wait_for(&self, count: usize, kinds: &[&str]) -> Value {
        let begun = Instant::now();
        loop {
            let events = self.events();
            let mut found = events.into_iter().filter(|event| kinds.iter().any(|kind| event["event"] == *kind));
            if let Some(event) = found.nth(count - 1) {
                return event;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{count} of {kinds:?} did not come: {}", self.said());
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits for outcome number `count` of a save.
    #[track_caller]
    fn outcome(&self, count: usize) -> Value {
        self.wait_for(count, &["reload_applied", "reload_rejected"])
    }

    fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.place.path().join(name)).unwrap_or_default();
        let said = read("stdout") + &read("stderr");
        let epochs = said.lines().filter(|line| !line.trim_start().starts_with("epoch"));
        epochs.collect::<Vec<_>>().join("\n")
    }

    /// Waits until the run ends by itself.
    #[track_caller]
    fn ended(mut self) -> (Place, Vec<Value>) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "it does not end: {}", self.said());
            sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{}", self.said());
        let events = self.events();
        (self.place, events)
    }
}

fn by_writing(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn by_renaming(path: &Path, text: &str) {
    let beside = path.with_extension("yaml.swp");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// Cuts the file, then writes it in two pieces.
fn by_cutting(path: &Path, text: &str) {
    let mut file = File::create(path).unwrap();
    sleep(Duration::from_millis(15));
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    file.write_all(first).unwrap();
    sleep(Duration::from_millis(15));
    file.write_all(second).unwrap();
}

/// Runs until it is told to end.
fn endless() -> (Place, String) {
    let place = Place::new();
    two_colours(&place, "cells", 40);
    let spec = folder_spec("cells").replace("batch: 64", "batch: 8").replace("epochs: 2", "epochs: 50000");
    (place, spec)
}

fn fields(event: &Value) -> Vec<(&str, &str)> {
    let changes = event["changes"].as_array().unwrap_or_else(|| panic!("{event:#}"));
    changes.iter().map(|change| (change["field"].as_str().unwrap(), change["class"].as_str().unwrap())).collect()
}

#[test]
fn every_way_of_saving_is_seen_and_each_change_holds_from_its_step() {
    let (place, spec) = endless();
    let live = Live::start(place, &spec, &[]);
    let (path, mut text) = (live.spec(), live.text());

    text = text.replace("train: [\"*\"], lr: 1e-2", "train: [\"*\"], lr: 5e-3");
    by_renaming(&path, &text);
    let rate = live.outcome(1);
    assert_eq!(fields(&rate), [("schedule.phases.all.lr", "now")]);
    assert_eq!(rate["changes"][0]["from_step"], rate["step"]);
    // A save that follows before the epoch ends would take its place.
    live.wait_for(1, &["reload_in_effect"]);

    text = text.replace("batch: 8", "batch: 16").replace("degrees: 20", "degrees: 10");
    by_cutting(&path, &text);
    let batch = live.outcome(2);
    let mut found = fields(&batch);
    found.sort_unstable();
    assert_eq!(found, [("augmentation.train.1.rotate.degrees", "next_epoch"), ("data.batch", "next_epoch")]);
    let from = batch["changes"][0]["from_step"].as_u64().unwrap();
    assert_eq!(live.wait_for(2, &["reload_in_effect"])["step"], from);

    // Two saves, one right after the other: what counts is the last.
    by_writing(&path, &text.replace("5e-3", "7e-3"));
    text = text.replace("5e-3", "4e-3");
    by_writing(&path, &text);
    let mut outcomes = 3;
    if !live.outcome(outcomes)["changes"].to_string().contains("4e-3") {
        outcomes += 1;
    }
    assert!(live.outcome(outcomes)["changes"].to_string().contains("4e-3"), "{}", live.said());

    by_writing(&path, &text.replace("train: [head]", "train: [haed]"));
    let wrong = live.outcome(outcomes + 1);
    assert_eq!(wrong["event"], "reload_rejected");
    let reason = wrong["reason"].as_str().unwrap();
    assert!(reason.contains("did you mean `head`?") && reason.contains("spec.yaml:"), "{reason}");

    text = text.replace("label_smoothing: 0.05", "label_smoothing: 0.1");
    by_writing(&path, &text);
    assert_eq!(fields(&live.outcome(outcomes + 2)), [("regularization.label_smoothing", "next_epoch")]);

    by_writing(&path, &text.replace("seed: 3", "seed: 4"));
    let seed = live.outcome(outcomes + 3);
    assert_eq!((&seed["event"], &seed["fields"][0]), (&"reload_rejected".into(), &"seed".into()));
    assert!(seed["reason"].as_str().unwrap().contains("stop it and run"), "{seed}");

    text = text.replace("epochs: 50000", "epochs: 1");
    by_writing(&path, &text);
    assert_eq!(fields(&live.outcome(outcomes + 4)), [("schedule.phases.all.epochs", "next_phase")]);
    let said = live.said();
    assert!(said.contains("spec saved, taken up as specs/0002.yaml"), "{said}");
    assert!(said.contains("not taken up, the run goes on by the last good one"), "{said}");
    let (place, events) = live.ended();

    let epochs: Vec<&Value> = of_kind(&events, "epoch_finished").collect();
    let rate_after = |step: &Value| {
        let epoch = epochs.iter().find(|epoch| epoch["step"].as_u64() > step.as_u64()).unwrap();
        epoch["lr"]["*"].as_f64().unwrap()
    };
    assert_eq!(rate_after(&rate["step"]), 5e-3);
    // The order of an epoch has 56 images: 7 steps by 8, then 4 by 16.
    let steps: Vec<u64> = epochs.iter().map(|epoch| epoch["step"].as_u64().unwrap()).collect();
    for pair in steps.windows(2) {
        let in_all =
            of_kind(&events, "epoch_finished").any(|epoch| epoch["phase"] == "head" && epoch["step"] == pair[1]);
        assert!(in_all || pair[1] - pair[0] == if pair[0] < from { 7 } else { 4 }, "{pair:?} around {from}");
    }
    let ends: Vec<&Value> = of_kind(&events, "phase_finished").collect();
    assert_eq!(ends[0]["reason"].as_str().unwrap().split(',').next(), Some("the spec gives it 1 epoch"));
    assert_eq!(ends.len(), 2, "the next phase ran");
    assert!(place.path().join("run/specs/0001.yaml").is_file());
    assert_eq!(fs::read_to_string(place.path().join("run/spec.yaml")).unwrap(), spec);
    place.runner(&["replay", "run"]).assert().success();
}

/// The time between a save and its being taken up. Set `RUNNER_TIMING=1` on a quiet machine to hold its median
/// against 300 ms.
#[test]
fn a_save_is_taken_up_soon() {
    let (place, spec) = endless();
    let live = Live::start(place, &spec, &[]);
    let (path, text) = (live.spec(), live.text());
    let mut took = Vec::new();
    for save in 1..=20 {
        by_renaming(&path, &text.replace("lr: 1e-2", &format!("lr: {save}e-4")));
        let saved = SystemTime::now();
        let event = live.outcome(save);
        let time: jiff::Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        took.push(SystemTime::from(time).duration_since(saved).unwrap_or_default());
        sleep(Duration::from_millis(37));
    }
    took.sort_unstable();
    let median = took[took.len() / 2];
    eprintln!("from a save to its being taken up: median {median:?}, most {:?}", took[took.len() - 1]);
    if std::env::var_os("RUNNER_TIMING").is_some() {
        assert!(median < Duration::from_millis(300), "{took:?}");
    }
    by_writing(&path, &text.replace("epochs: 50000", "epochs: 1").replace("lr: 1e-2", "lr: 20e-4"));
    live.ended();
}

#[cfg(unix)]
#[test]
fn a_run_with_five_reloads_is_replayed_to_the_last_bit() {
    if !has_cc() {
        return;
    }
    let place = place_with(&pointwise(&[]));
    let spec =
        PLAIN.replace("epochs: 2", "epochs: 50000").replace("batch: 16", "batch: 8") + "augmentation:\n  train: []\n";
    let live = Live::start(place, &spec, &[]);
    let (path, mut text) = (live.spec(), live.text());
    let mut save = |live: &Live, number: usize, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
        by_writing(&path, &text);
        let event = live.outcome(number);
        assert_eq!(event["event"], "reload_applied", "{event:#}");
        live.wait_for(1 + number, &["epoch_finished"]);
        event
    };
    save(&live, 1, "lr: 1e-2", "lr: 4e-3");
    save(&live, 2, "train: []", "train: [{ horizontal_flip: 0.5 }]");
    let phase = "    - { name: all, epochs: 50000, train: [\"*\"], lr: 4e-3 }\n";
    let inserted =
        save(&live, 3, phase, &format!("{phase}    - {{ name: last, epochs: 2, train: [head], lr: 1e-3 }}\n"));
    assert_eq!(fields(&inserted), [("schedule.phases.last", "next_phase")]);
    let rebuilt = save(
        &live,
        4,
        "  - global_avg_pool\n",
        "  - global_avg_pool\n  - linear: { out: 5 }\n  - relu\n  - dropout: 0.2\n",
    );
    assert!(fields(&rebuilt).iter().all(|(_, class)| *class == "rebuild"), "{rebuilt:#}");
    let effect = live.wait_for(4, &["reload_in_effect"]);
    assert!(effect["kept"].as_u64().unwrap() >= 5, "{effect}");
    assert!(effect["initialised"].to_string().contains("head."), "{effect}");

    live.place.write(
        "plugin.c",
        pointwise(&[("#define F(x) (x)", "#define F(x) (0.5f * (x))"), ("SLOPE(x) 1.0f", "SLOPE(x) 0.5f")]),
    );
    let swapped = live.outcome(5);
    assert_eq!(fields(&swapped), [("plugins.plain", "rebuild")]);
    live.wait_for(5, &["reload_in_effect"]);
    live.wait_for(8, &["epoch_finished"]);

    by_writing(&path, &fs::read_to_string(&path).unwrap().replace("epochs: 50000", "epochs: 1"));
    let (place, events) = live.ended();
    assert_eq!(of_kind(&events, "reload_applied").count(), 6);
    assert_eq!(of_kind(&events, "phase_finished").count(), 2);

    let output = place.runner(&["replay", "run"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.contains("last weights: the same to the last bit"), "{text}");
    assert!(text.contains("best weights: the same to the last bit"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_faulty_plugin_is_refused_and_the_old_goes_on() {
    if !has_cc() {
        return;
    }
    let live = Live::start(place_with(&pointwise(&[])), &PLAIN.replace("epochs: 2", "epochs: 50000"), &[]);
    live.place.write("plugin.c", "this is not C");
    let refused = live.outcome(1);
    assert_eq!(refused["event"], "reload_rejected");
    live.place.write("plugin.c", pointwise(&[("SLOPE(x) 1.0f", "SLOPE(x) 0.7f")]));
    let refused = live.outcome(2);
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("layer `plain` fails the check `gradients in evaluation`"), "{reason}");
    fs::remove_file(live.place.path().join("plugin.c")).unwrap();
    assert_eq!(live.outcome(3)["event"], "reload_rejected");
    live.place.write("plugin.c", pointwise(&[]));
    let text = live.text();
    by_writing(&live.spec(), &text.replace("epochs: 50000", "epochs: 1"));
    live.ended();
}

#[cfg(unix)]
#[test]
fn a_spec_that_goes_away_changes_nothing() {
    let (place, spec) = endless();
    let live = Live::start(place, &spec, &["poll"]);
    fs::remove_file(live.spec()).unwrap();
    let gone = live.outcome(1);
    assert!(gone["reason"].as_str().unwrap().contains("the run goes on by the last one"), "{gone}");
    by_writing(&live.spec(), &spec.replace("epochs: 50000", "epochs: 1"));
    live.ended();
}

#[cfg(unix)]
#[test]
fn what_was_saved_while_the_run_was_dead_is_taken_up_when_it_goes_on() {
    let (place, spec) = endless();
    let mut live = Live::start(place, &spec, &["--set", "data.workers=1"]);
    // The first epoch's checkpoint is written by then.
    live.wait_for(2, &["epoch_finished"]);
    live.child.kill().unwrap();
    live.child.wait().unwrap();
    by_writing(&live.spec(), &spec.replace("epochs: 50000", "epochs: 1").replace("lr: 1e-2", "lr: 2e-2"));
    let output = live.place.runner(&["resume", "run"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.contains("spec saved, taken up as specs/0002.yaml"), "{text}");
    let events = live.events();
    let applied = of_kind(&events, "reload_applied").next().unwrap();
    let mut found = fields(applied);
    found.sort_unstable();
    assert_eq!(found, [("schedule.phases.all.epochs", "next_phase"), ("schedule.phases.all.lr", "now")]);
    live.place.runner(&["replay", "run"]).assert().success();
}
