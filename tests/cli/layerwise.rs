//! Layer-wise training and the memory budget: what a process takes, measured.

use crate::support::{Place, of_kind};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A net whose activations are large and whose weights are few: 9 MiB an activation of an image.
fn large(rest: &str) -> String {
    let layers = "  - conv2d: { out: 16, kernel: 3, padding: 1 }\n  - relu\n".repeat(10);
    format!(
        "name: large\nseed: 3\ndata: {{ source: {{ folder: images }}, image: {{ size: 384 }}, batch: 2, micro_batch: 1, \
         workers: 1 }}\nlayers:\n{layers}head: [global_avg_pool, linear: {{ out: classes }}]\n{rest}"
    )
}

const WHOLE: &str = "schedule: { optimizer: sgd, phases: [{ name: all, epochs: 1, train: ['*'], lr: 1e-3 }] }\n";
const LAYERWISE: &str = "schedule: { optimizer: sgd, layerwise: { group_size: 2, epochs: 1, lr: 1e-3 } }\n";

/// What the process at most held, in bytes; the system's own count.
fn peak(place: &Place, run: &str) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["spec.yaml", "--run-dir", run])
        .current_dir(place.path())
        .env("RUNNER_CACHE", place.path().join("cache"))
        .env("RAYON_NUM_THREADS", "2")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The line is gone as soon as the process has ended; it only ever grows.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{run}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn layerwise_training_fits_where_the_whole_net_does_not() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: the memory of a process is read from /proc");
        return;
    }
    let place = Place::new();
    crate::support::two_colours(&place, "images", 4);
    let budget = "memory_budget: 128MiB\n";
    let allowed = 128 << 20;

    place.write("spec.yaml", large(&format!("{WHOLE}{budget}")));
    let refused = place.runner(&["plan", "spec.yaml"]).assert().failure();
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(told.contains("phase `all` needs") && told.contains("`layerwise`"), "{told}");

    place.write("spec.yaml", large(WHOLE));
    let whole = peak(&place, "whole");
    place.write("spec.yaml", large(&format!("{LAYERWISE}{budget}")));
    let told = place.runner(&["plan", "spec.yaml", "--json"]).assert().success();
    let plan: serde_json::Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
    let phases = plan["phases"].as_array().unwrap().iter();
    // The plan sets aside 32 MiB for the program.
    let estimate = phases.map(|phase| phase["memory"]["total"].as_u64().unwrap()).max().unwrap() + (32 << 20);
    let layerwise = peak(&place, "layerwise");
    eprintln!("whole {} MiB, layer-wise {} MiB, budget {} MiB", whole >> 20, layerwise >> 20, allowed >> 20);
    assert!(whole > allowed, "the whole net took {whole}");
    assert!(estimate <= allowed);
    assert!(layerwise <= estimate, "layer-wise it took {layerwise}, and at most {estimate} were told");

    let events = place.events("layerwise");
    let best: Vec<bool> = of_kind(&events, "epoch_finished").map(|event| event["best"].as_bool().unwrap()).collect();
    assert_eq!(best, [false, false, false, false, true], "heads on the way are not what the run is for");
    let finished = of_kind(&events, "run_finished").next().unwrap();
    assert_eq!(finished["best_epoch"], 5);
    // The best weights are the net's own.
    let inspected = place.runner(&["inspect", "layerwise/checkpoints/best.safetensors"]).assert().success();
    let text = String::from_utf8_lossy(&inspected.get_output().stdout).into_owned();
    assert!(text.contains("head.1.weight") && !text.contains("auxiliary"), "{text}");
    place.runner(&["evaluate", "layerwise"]).assert().success();
}
