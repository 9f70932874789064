//! Ctrl-C.

use crate::support::{Place, SMALL, of_kind};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn start(place: &Place) -> Child {
    place.write("spec.yaml", SMALL.replace("epochs: 2", "epochs: 500"));
    let child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["spec.yaml", "--run-dir", "run"])
        .current_dir(place.path())
        .env("RUNNER_CACHE", place.path().join("cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let log = place.path().join("run/events.jsonl");
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("epoch_finished")) {
        assert!(begun.elapsed() < Duration::from_mins(2), "no epoch within two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[test]
fn one_ctrl_c_saves_and_exits_with_130() {
    let place = Place::new();
    let child = start(&place);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`runner resume run` goes on"));
    let events = place.events("run");
    let last = events.iter().rfind(|event| event["file"] == "checkpoints/last.safetensors").unwrap();
    let interrupted = of_kind(&events, "run_interrupted").next().unwrap();
    assert_eq!(interrupted["phase"], "all");
    assert_eq!(last["step"], interrupted["step"]);
    assert_eq!(of_kind(&events, "phase_finished").count(), 0, "the phase goes on when the run does");
    place.runner(&["inspect", "run/checkpoints/last.safetensors"]).assert().success();
}

#[cfg(unix)]
#[test]
fn killed_at_any_moment_the_checkpoints_are_whole() {
    let place = Place::new();
    let mut child = start(&place);
    std::thread::sleep(Duration::from_millis(137));
    child.kill().unwrap();
    child.wait().unwrap();
    place.runner(&["evaluate", "run"]).assert().success();
}
