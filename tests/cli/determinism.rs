//! The same spec gives the same numbers, whatever the number of workers.

use crate::support::{Place, SMALL, of_kind};
use serde_json::Value;

fn losses(place: &Place, run: &str, workers: &str) -> Vec<(Value, Value, Value)> {
    place.train(SMALL, run, &["--set", &format!("data.workers={workers}")]);
    let events = place.events(run);
    of_kind(&events, "epoch_finished")
        .map(|event| (event["train_loss"].clone(), event["val"].clone(), event["largest_gradient"].clone()))
        .collect()
}

#[test]
fn one_worker_and_four_give_the_same_losses_to_the_last_bit() {
    let place = Place::new();
    let one = losses(&place, "one", "1");
    let four = losses(&place, "four", "4");
    let again = losses(&place, "again", "4");
    assert_eq!(one.len(), 3);
    assert_eq!(one, four);
    assert_eq!(four, again);
}

#[test]
fn threads_are_as_many_as_asked_for_and_change_no_bit() {
    let place = Place::new();
    let of = |run: &str, threads: &str| {
        place.train(SMALL, run, &["--threads", threads]);
        let events = place.events(run);
        let device = of_kind(&events, "run_started").next().unwrap()["device"].as_str().unwrap().to_owned();
        assert!(device.starts_with(&format!("CPU, {threads} thread")), "{device}");
        of_kind(&events, "epoch_finished").map(|event| event["train_loss"].clone()).collect::<Vec<_>>()
    };
    let one = of("one", "1");
    assert_eq!(one.len(), 3);
    assert_eq!(one, of("three", "3"));
}

#[test]
fn another_seed_gives_other_losses() {
    let place = Place::new();
    let one = losses(&place, "one", "2");
    place.train(SMALL, "other", &["--set", "seed=99"]);
    let events = place.events("other");
    assert_ne!(of_kind(&events, "epoch_finished").next().unwrap()["train_loss"], one[0].0);
}

/// `engine.winograd` changes the last bits, and not more.
#[test]
fn winograd_of_either_size_gives_about_the_same_losses() {
    let place = Place::new();
    let spec = SMALL.replace(
        "layers:\n",
        "layers:\n  - conv2d: { out: 16, kernel: 3, padding: 1 }\n  - conv2d: { out: 16, kernel: 3, padding: 1 }\n",
    );
    assert_ne!(spec, SMALL);
    let first = |winograd: &str| {
        place.train(&spec, winograd, &["--set", &format!("engine.winograd={winograd}")]);
        of_kind(&place.events(winograd), "epoch_finished").next().unwrap()["train_loss"].as_f64().unwrap()
    };
    let [off, f2, f4] = ["off", "f2", "f4"].map(first);
    assert!(off != f2 && f2 != f4 && off != f4, "{off} {f2} {f4}");
    assert!((off - f2).abs() < 1e-3 * off && (off - f4).abs() < 1e-2 * off, "{off} {f2} {f4}");
}
