//! `runner lr-find`.

use crate::support::{Place, SMALL};
use predicates::str::{contains, is_match};
use serde_json::Value;
use std::fs;

#[test]
fn a_curve_is_shown_written_and_a_rate_suggested() {
    let place = Place::new();
    place.write("spec.yaml", SMALL);
    let args = ["lr-find", "spec.yaml", "--steps", "40", "--from", "1e-5", "--out", "found"];
    let first = place.runner(&args).assert().success().get_output().stdout.clone();
    let shown = String::from_utf8(first.clone()).unwrap();
    assert!(shown.starts_with("learning rates for phase all of small: 40 steps of 64 images, 1e-5 to 10\n"), "{shown}");
    for part in ["•", "  suggested  ", "  steepest   ", "  minimum    ", "--set schedule.phases.0.lr="] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let json: Value = serde_json::from_slice(&fs::read(place.path().join("found/lr_find.json")).unwrap()).unwrap();
    let points = json["points"].as_array().unwrap();
    assert!(points.len() > 10 && points.len() <= 40);
    assert!((points[0]["lr"].as_f64().unwrap() - 1e-5).abs() < 1e-12);
    let suggested = json["suggestion"]["valley"].as_f64().unwrap();
    assert!((1e-4..1.0).contains(&suggested), "a small net with batch norm and AdamW learns there: {suggested}");
    assert!(fs::read_to_string(place.path().join("found/lr_find.svg")).unwrap().starts_with("<svg"));
    assert!(!place.path().join("runs").exists(), "no run is begun");

    let again = place.runner(&args).assert().success().get_output().stdout.clone();
    assert_eq!(first, again, "the same seed shows the same");
}

#[test]
fn what_cannot_be_tried_is_said() {
    let place = Place::new();
    place.write("spec.yaml", SMALL);
    let runner = |args: &[&str]| place.runner(&[&["lr-find", "spec.yaml"], args].concat()).assert();
    runner(&["--phase", "tail"]).code(2).stderr(contains("--phase tail: there is no such phase; there is all, head"));
    runner(&["--from", "1", "--to", "0.1"])
        .code(2)
        .stderr(is_match("--from 1 --to 0.1: expected numbers above 0").unwrap());
    runner(&["--steps", "3"]).code(2);
}
