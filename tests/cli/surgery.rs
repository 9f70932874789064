//! Backbones with layers put in: planned, trained, evaluated.

use crate::support::{Place, of_kind};
use serde_json::Value;

/// A small backbone on small images, with a batch norm put in that trains in the first phase only.
const CHANGED: &str = r#"
name: changed
data:
  source: { synthetic: blood_cells }
  image: { size: 24 }
  batch: 64
backbone:
  arch: mobilenet_v2
  insert:
    - { after: features.17, layer: batch_norm }
    - { after: features.17, layer: { dropout: 0.1 } }
  replace:
    features.0.0: { conv2d: { out: 32, kernel: 3, stride: 4, padding: 1, bias: false } }
    features.18.2: silu
schedule:
  phases:
    - { name: new,  epochs: 1, train: [head, "re:^features\\.17\\.batch_norm\\."], lr: 1e-2 }
    - { name: head, epochs: 1, train: [head], lr: 1e-3 }
"#;

/// The values of the tensor that was put in: least and largest.
fn range(place: &Place, checkpoint: &str) -> (f64, f64) {
    let output = place.runner(&["inspect", &format!("run/checkpoints/{checkpoint}.safetensors"), "--json"]).output();
    let contents: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let tensors = contents["tensors"].as_array().unwrap();
    let tensor = tensors.iter().find(|tensor| tensor["name"] == "features.17.batch_norm.weight").unwrap();
    assert_eq!(tensor["shape"], serde_json::json!([320]));
    (tensor["range"]["min"].as_f64().unwrap(), tensor["range"]["max"].as_f64().unwrap())
}

#[test]
fn the_plan_shows_what_was_put_in() {
    let place = Place::new();
    place.write("spec.yaml", CHANGED);
    let output = place.runner(&["plan", "spec.yaml"]).assert().success();
    insta::assert_snapshot!(String::from_utf8_lossy(&output.get_output().stdout));
    let output = place.runner(&["plan", "spec.yaml", "--json"]).assert().success();
    let plan: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(
        plan["changes"][1],
        serde_json::json!({
            "name": "features.17.batch_norm", "layer": "batch_norm", "replaces": false, "output": [1, 1, 320]
        })
    );
    let names = plan["stages"][17]["names"].as_array().unwrap();
    assert_eq!(names[names.len() - 2..], ["features.17.batch_norm", "features.17.dropout"]);
}

#[test]
fn an_inserted_parameter_trains_where_a_phase_says_so_and_is_kept() {
    let place = Place::new();
    place.train(CHANGED, "run", &[]);
    let events = place.events("run");
    let phases: Vec<&Value> = of_kind(&events, "phase_started").collect();
    let head = 1280 * 3 + 3;
    assert_eq!((&phases[0]["trainable"], &phases[1]["trainable"]), (&(head + 2 * 320).into(), &head.into()));

    // A batch norm's scale starts at 1.
    let (min, max) = range(&place, "last");
    assert!(min < 1.0 && max > 1.0 && min.is_finite() && max.is_finite(), "{min} to {max}");

    // The run says by itself how its net was changed.
    let output = place.runner(&["evaluate", "run", "--json"]).assert().success();
    let scores: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(scores["scores"], events.last().unwrap()["test"]);

    // The head's phase freezes it.
    place.train(CHANGED, "head_only", &["--set", "schedule.phases.0.train=[head]"]);
    std::fs::rename(place.path().join("run"), place.path().join("first")).unwrap();
    std::fs::rename(place.path().join("head_only"), place.path().join("run")).unwrap();
    assert_eq!(range(&place, "last"), (1.0, 1.0));
}
