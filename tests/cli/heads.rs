//! Heads that are fitted, and features for other programs.

use crate::support::{Place, SMALL, of_kind};
use std::fs;

/// `SMALL` with a head that is fitted and no schedule.
fn fitted() -> String {
    let (before, _) = SMALL.split_once("head:").unwrap();
    format!("{before}head: {{ linear_svm: {{ c: 0.1 }} }}\nregularization: {{ class_weights: balanced }}\n")
}

#[test]
fn a_fitted_head_is_a_run_like_any_other() {
    let place = Place::new();
    let stdout = place.train(&fitted(), "run", &[]);
    for line in [
        "head linear_svm (c 0.1, squared_hinge) on standardized features",
        "  features 16 values of each of ",
        "  fitted   train ",
        "  converged after ",
        "test  with the best weights (as fitted)",
    ] {
        assert!(stdout.contains(line), "{line}\n{stdout}");
    }
    let events = place.events("run");
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .filter(|kind| *kind != "checkpoint_saved")
        .collect();
    assert_eq!(kinds, ["run_started", "features_extracted", "head_fitted", "run_finished"]);
    let finished = events.last().unwrap();
    assert_eq!((&finished["reason"], &finished["best_epoch"]), (&"the head is fitted".into(), &0.into()));
    // On features of a random net, yet better than chance.
    assert!(finished["test"]["accuracy"].as_f64().unwrap() > 0.5, "{finished}");
    assert_eq!(of_kind(&events, "head_fitted").next().unwrap()["converged"], true);

    // The fit is in the checkpoints: evaluating them gives what the run gave.
    let evaluated = place.runner(&["evaluate", "run", "--json"]).assert().success();
    let evaluated: serde_json::Value = serde_json::from_slice(&evaluated.get_output().stdout).unwrap();
    assert_eq!(evaluated["scores"], finished["test"]);
    let best = |run: &str| fs::read(place.path().join(run).join("checkpoints/best.safetensors")).unwrap();
    place.train(&fitted(), "again", &[]);
    assert_eq!(best("run"), best("again"), "the same bits");

    // The plan says what is done.
    let plan = place.runner(&["plan", "spec.yaml"]).assert().success();
    let plan = String::from_utf8(plan.get_output().stdout.clone()).unwrap();
    assert!(plan.contains("Head\n") && plan.contains("51 in head.1") && !plan.contains("Phases"), "{plan}");
}

#[test]
fn features_of_a_run_and_of_a_spec_are_written_for_numpy() {
    let place = Place::new();
    place.train(&fitted(), "run", &[]);
    let features = |args: &[&str]| {
        let output = place.runner(&[&["features"], args].concat()).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    };
    let all = features(&["run", "--out", "run.npz"]);
    assert!(all.starts_with("run.npz: 16 values of each of "), "{all}");
    features(&["spec.yaml", "--out", "spec.npz"]);
    let read = |file: &str, array: &str| {
        let mut archive = zip::ZipArchive::new(fs::File::open(place.path().join(file)).unwrap()).unwrap();
        let mut bytes = Vec::new();
        std::io::copy(&mut archive.by_name(&format!("{array}.npy")).unwrap(), &mut bytes).unwrap();
        bytes
    };
    // Fitting the head has not changed the net below it.
    assert_eq!(read("run.npz", "features"), read("spec.npz", "features"));
    let maps = features(&["run", "--split", "test", "--pool", "none", "--out", "maps.npz"]);
    assert!(maps.starts_with("maps.npz: 6x6x16 values of each of "), "{maps}");
    let refused = place.runner(&["features", "run", "--layer", "layers.1", "--out", "x.npz"]).assert().code(2);
    let stderr = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert_eq!(stderr, "error: --layer layers.1: only a backbone can be cut; this net is written in the spec\n");
}
