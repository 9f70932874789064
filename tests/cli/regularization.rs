//! Averages of the weights and oversampling, as a user sees them.

use crate::support::{Place, SMALL, folder_spec, jpeg, of_kind, two_colours};
use predicates::str::contains;
use serde_json::Value;

#[test]
fn both_weights_are_shown_and_what_is_kept_is_what_is_tested() {
    let place = Place::new();
    two_colours(&place, "images", 20);
    let spec = folder_spec("images").replace("label_smoothing: 0.05", "ema: { decay: 0.5 }");
    let stdout = place.train(&spec, "run", &["--set", "data.batch=8"]);
    let line = stdout.lines().find(|line| line.contains("epoch 1/3")).unwrap();
    let after = |word: &str| line.find(word).unwrap();
    assert!(
        after("train ") < after("val ") && after("val ") < after("ema ") && after("ema ") < after("img/s"),
        "{line}"
    );
    assert!(line.ends_with("best (ema)") || line.ends_with("best (raw)"), "{line}");

    let finished = place.events("run").pop().unwrap();
    let (epoch, whose) = (&finished["best_epoch"], finished["best_weights"].as_str().unwrap().to_owned());
    assert!(stdout.contains(&format!("test  with the best weights (epoch {epoch}, {whose})")), "{stdout}");
    let output = place.runner(&["evaluate", "run", "--json"]).assert().success();
    let again: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(again["scores"], finished["test"]);
}

#[test]
fn the_length_of_an_oversampled_epoch_is_planned_and_told() {
    let place = Place::new();
    two_colours(&place, "images", 10);
    (10..30).for_each(|number| drop(place.write(&format!("images/red/{number}.jpg"), jpeg(180, 30, 20, number))));
    place.write("spec.yaml", folder_spec("images").replace("  batch: 64", "  batch: 8\n  oversample: balanced"));
    let planned = "epoch    42 images, oversampled: blue 21, red 21";
    place.runner(&["plan", "spec.yaml"]).assert().success().stdout(contains(planned));
    let short = ["spec.yaml", "--run-dir", "run", "--set", "schedule.phases.0.epochs=1"];
    let output = place.runner(&short).assert().success();
    output.stdout(contains("28 train (42 drawn an epoch), 6 val, 6 test"));
    let events = place.events("run");
    assert_eq!(of_kind(&events, "run_started").next().unwrap()["drawn"], 42);
    // 42 images in batches of 8.
    assert_eq!(of_kind(&events, "epoch_finished").next().unwrap()["step"], 6);

    // Of a set that has to be downloaded first nobody knows.
    place.write(
        "other.yaml",
        SMALL.replace(
            "source: { synthetic: blood_cells }",
            "source: { dataset: blood_cells }\n  oversample: { platelet: 2 }",
        ),
    );
    let output = place.runner(&["plan", "other.yaml"]).assert().success();
    output.stdout(contains("oversampled; how many images is known once the data is there"));
}
