//! Cross-validation.

use crate::support::{Place, folder_spec, two_colours};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

fn json(place: &Place, file: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path().join(file)).unwrap()).unwrap()
}

#[test]
fn each_image_is_tested_once_and_mean_and_spread_are_told() {
    let place = Place::new();
    two_colours(&place, "images", 15);
    let spec = folder_spec("images");
    let sets = ["--set", "data.split.folds=3", "--set", "schedule.phases.0.epochs=1"];
    let shown = place.train(&spec, "run", &sets);

    let tested = (1..=3).flat_map(|fold| {
        let csv = fs::read_to_string(place.path().join(format!("run/fold-{fold}/predictions.csv"))).unwrap();
        csv.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    let tested: Vec<String> = tested.collect();
    assert_eq!(tested.len(), 30);
    assert_eq!(tested.iter().collect::<BTreeSet<_>>().len(), 30, "no image is tested twice");

    let folds = json(&place, "run/folds.json");
    let accuracies: Vec<f64> = (1..=3)
        .map(|fold| json(&place, &format!("run/fold-{fold}/metrics.json"))["test"]["accuracy"].as_f64().unwrap())
        .collect();
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    let spread = (accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert!((folds["mean"]["accuracy"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!((folds["standard_deviation"]["accuracy"].as_f64().unwrap() - spread).abs() < 1e-12);
    let last: Vec<&str> = shown.lines().rev().take(2).collect();
    assert!(last[1].starts_with("  mean") && last[1].contains(&format!("{mean:.4}")), "{shown}");
    assert!(last[0].starts_with("  spread") && last[0].contains(&format!("± {spread:.4}")), "{shown}");

    // A fold is a run like any other, and knows which it was.
    let again = place.runner(&["evaluate", "run/fold-2", "--json"]).assert().success();
    let again: Value = serde_json::from_slice(&again.get_output().stdout).unwrap();
    assert_eq!(again["scores"], json(&place, "run/fold-2/metrics.json")["test"]);
    place.train(&spec, "second", &[&sets[..], &["--set", "data.split.fold=2"]].concat());
    let predictions = |run: &str| fs::read(place.path().join(run).join("predictions.csv")).unwrap();
    assert_eq!(predictions("second"), predictions("run/fold-2"));
}
