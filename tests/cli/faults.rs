//! What can go wrong around a run: disks, folders, files.

use crate::support::{Place, folder_spec, of_kind, two_colours};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn place() -> Place {
    let place = Place::new();
    two_colours(&place, "cells", 30);
    place.write(
        "spec.yaml",
        folder_spec("cells").replace("batch: 64", "batch: 8").replace("epochs: 2", "epochs: 50000"),
    );
    place
}

/// A run that goes on until something happens to it.
fn start(place: &Place) -> Child {
    let child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["spec.yaml", "--run-dir", "run"])
        .current_dir(place.path())
        .env("RUNNER_CACHE", place.path().join("cache"))
        .env_remove("RUNNER_DATA")
        .stdin(Stdio::null())
        .stdout(File::create(place.path().join("stdout")).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !fs::read_to_string(place.path().join("run/events.jsonl")).is_ok_and(|text| text.contains("best.safetensors"))
    {
        assert!(begun.elapsed() < Duration::from_mins(2), "no epoch within two minutes");
        sleep(Duration::from_millis(5));
    }
    child
}

/// Waits for a run that fails, and gives what it says.
#[track_caller]
fn failed(child: Child) -> String {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[cfg(unix)]
#[test]
fn a_run_whose_directory_is_removed_says_so() {
    let place = place();
    let child = start(&place);
    fs::rename(place.path().join("run"), place.path().join("gone")).unwrap();
    fs::remove_dir_all(place.path().join("gone")).unwrap();
    let text = failed(child);
    assert!(text.contains("run/checkpoints"), "{text}");
}

/// A file system of its own under the folder `run`, for as long as it lives.
struct Mount(std::path::PathBuf);

impl Mount {
    /// None where this user may not mount.
    fn new(path: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: a file system cannot be mounted here");
            return None;
        }
        Some(Mount(path.to_owned()))
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_run_and_room_lets_it_go_on() {
    let place = place();
    let Some(disk) = Mount::new(&place.path().join("run"), "size=2m") else { return };
    let child = start(&place);
    // All of what is left.
    let _ = fs::write(place.path().join("run/filler"), vec![0; 4 << 20]);
    let text = failed(child);
    assert!(text.contains("No space left on device") || text.contains("os error 28"), "{text}");
    place.runner(&["inspect", "run/checkpoints/best.safetensors"]).assert().success();
    fs::remove_file(place.path().join("run/filler")).unwrap();
    finishes(&place);
    drop(disk);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_cannot_be_written_to_any_more_ends_the_run() {
    let place = place();
    let Some(disk) = Mount::new(&place.path().join("run"), "size=4m") else { return };
    let mut child = start(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    disk.remount("ro");
    let output = place.runner(&["resume", "run"]).assert().code(1);
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(text.contains("Read-only file system") && !text.contains("panicked"), "{text}");
    disk.remount("rw");
    finishes(&place);
}

/// The run goes on, and ends by a spec that is short.
fn finishes(place: &Place) {
    let spec = fs::read_to_string(place.path().join("spec.yaml")).unwrap();
    place.write("spec.yaml", spec.replace("epochs: 50000", "epochs: 1"));
    place.runner(&["resume", "run"]).assert().success();
    let events = place.events("run");
    assert_eq!(of_kind(&events, "run_finished").count(), 1);
    assert_eq!(of_kind(&events, "run_failed").count(), 0, "what came after the checkpoint is not in the log");
    place.runner(&["evaluate", "run"]).assert().success();
}
