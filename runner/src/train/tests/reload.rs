//! Specs that are taken up while a run goes on.

use super::{Ran, SPEC, follow, images};
use crate::train::reload::replayed::Past;
use crate::train::reload::{Prepared, Replayed};
use serde_json::Value;
use std::path::Path;

/// A save: after which step, before which stage, and what is replaced in the spec.
pub type Save<'a> = (u64, &'a str, &'a [(&'a str, &'a str)]);

/// A spec that is saved after so many steps: [`SPEC`] with a piece of it replaced.
pub fn saved(dir: &Path, step: u64, stage: &str, replaced: &[(&str, &str)]) -> Past {
    let text = replaced.iter().fold(SPEC.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let prepared =
        Prepared::new("tiny.yaml", &text, dir, &[]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    Past { step, stage: stage.to_owned(), prepared: Box::new(prepared) }
}

/// A run with saves: after which step, before which stage, and what is replaced.
fn run(saves: &[Save<'_>]) -> Ran {
    let dir = images();
    let past = saves.iter().map(|(step, stage, replaced)| saved(dir.path(), *step, stage, replaced)).collect();
    follow(dir, &[], Box::new(Replayed::new(past)))
}

/// The outcome of the only save.
fn outcome(ran: &Ran) -> &Value {
    let found = |kind: &str| ran.of_kind(kind).first().copied();
    found("reload_applied").or_else(|| found("reload_rejected")).expect("no outcome")
}

/// Phases and reasons of their ends.
fn ends(ran: &Ran) -> Vec<(&str, &str)> {
    ran.of_kind("phase_finished")
        .into_iter()
        .map(|event| (event["phase"].as_str().unwrap(), event["reason"].as_str().unwrap()))
        .collect()
}

const ALL: &str = "    - { name: all, epochs: 3, train: [\"*\"], lr: 0.1 }\n";

#[test]
fn a_learning_rate_holds_from_the_next_step() {
    // 18 images by 7 are 3 steps an epoch.
    let (plain, other) = (run(&[]), run(&[(4, "epoch", &[("lr: 0.1", "lr: 0.02")])]));
    assert_eq!(outcome(&other)["changes"][0]["from_step"], 4);
    // The losses of five steps come of four at the old rate; that of the sixth of one at the new.
    assert_eq!(plain.losses[..5], other.losses[..5]);
    assert_ne!(plain.losses[5], other.losses[5]);
    let rates: Vec<f64> =
        other.of_kind("epoch_finished").iter().filter_map(|event| event["lr"]["*"].as_f64()).collect();
    assert_eq!(rates, [0.1, 0.02, 0.02]);
}

#[test]
fn a_batch_size_holds_from_the_next_epoch() {
    let (plain, other) = (run(&[]), run(&[(4, "epoch", &[("batch: 7", "batch: 9")])]));
    assert_eq!(outcome(&other)["changes"][0]["from_step"], 6);
    let steps: Vec<u64> = other.of_kind("epoch_finished").iter().filter_map(|event| event["step"].as_u64()).collect();
    assert_eq!(steps, [3, 6, 8, 10, 12]);
    assert_eq!(plain.losses[..6], other.losses[..6]);
    assert_eq!(other.of_kind("reload_in_effect")[0]["step"], 6);
}

#[test]
fn another_optimizer_begins_with_a_phase() {
    let other = ("sgd: { momentum: 0 }", "adamw: {}");
    let (plain, other) = (run(&[]), run(&[(4, "epoch", &[other])]));
    assert_eq!(outcome(&other)["changes"][0]["class"], "next_phase");
    // 3 epochs of 3 steps, and the first loss of the phase after them.
    assert_eq!(plain.losses[..10], other.losses[..10]);
    assert_ne!(plain.losses[10], other.losses[10]);
}

#[test]
fn phases_come_go_and_are_cut_short() {
    let inserted = format!("{ALL}    - {{ name: between, epochs: 1, train: [head], lr: 0.01 }}\n");
    let ran = run(&[(4, "epoch", &[(ALL, &inserted)])]);
    assert_eq!(ends(&ran).iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["all", "between", "head"]);
    assert_eq!(outcome(&ran)["changes"][0]["class"], "next_phase");

    let ran = run(&[(4, "epoch", &[("epochs: 3", "epochs: 1")])]);
    assert_eq!(ran.epochs.len(), 2 + 2);
    assert!(ends(&ran)[0].1.starts_with("the spec gives it 1 epoch"), "{:?}", ends(&ran));

    let ran = run(&[(4, "epoch", &[("epochs: 3", "epochs: 5")])]);
    assert_eq!(ran.epochs.len(), 5 + 2);

    let ran = run(&[(4, "epoch", &[(ALL, "")])]);
    assert_eq!(ends(&ran)[0], ("all", "the spec no longer has it"));
    assert_eq!(ran.epochs.len(), 2 + 2);

    // Between epochs, a phase that is gone ends at once.
    let ran = run(&[(3, "epoch_begins", &[(ALL, "")])]);
    assert_eq!(ran.epochs.len(), 1 + 2);

    // While it ends, the next may still be another.
    let ran = run(&[(9, "phase_ends", &[("name: head", "name: other")])]);
    assert_eq!(ends(&ran)[1].0, "other");
}

#[test]
fn a_net_that_is_built_anew_keeps_what_is_in_both() {
    let still = [("lr: 0.1", "lr: 1e-30"), ("lr: 0.05", "lr: 1e-30")];
    let built: Vec<(&str, &str)> = still
        .into_iter()
        .chain([("  - global_avg_pool\n", "  - global_avg_pool\n  - linear: { out: 5 }\n  - relu\n")])
        .collect();
    let ran = run(&[(0, "phase_begins", &still), (4, "epoch", &built)]);
    let effects = ran.of_kind("reload_in_effect");
    let effect = effects.last().unwrap();
    let list = |key: &str| effect[key].as_array().map(Vec::len).unwrap_or_default();
    // The convolution, and scale, shift and statistics of the norm; `head.1` has another shape.
    assert_eq!((effect["kept"].as_u64().unwrap(), list("initialised"), list("dropped")), (6, 4, 2), "{effect:#}");
    let (before, after) = (&ran.epochs[1], &ran.epochs[2]);
    assert_eq!(before["layers.0.weight"], after["layers.0.weight"], "it was kept, and hardly moves");
    assert_eq!(after["head.1.weight"].len(), 5 * 6);
    assert!(after["head.3.weight"].iter().any(|value| *value != 0.0));
    assert!(ran.of_kind("epoch_finished")[2]["best"].as_bool().unwrap(), "the best weights are those of this net");
}

#[test]
fn what_needs_another_run_is_refused_whole() {
    let (plain, other) = (run(&[]), run(&[(4, "epoch", &[("seed: 5", "seed: 6"), ("lr: 0.1", "lr: 0.02")])]));
    let refused = outcome(&other);
    assert_eq!((&refused["event"], &refused["fields"]), (&"reload_rejected".into(), &serde_json::json!(["seed"])));
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("tiny.yaml:3:") && reason.contains("`runner tiny.yaml`"), "{reason}");
    assert_eq!(plain.losses, other.losses);

    let frozen = run(&[(4, "epoch", &[("train: [\"*\"]", "train: [head]")])]);
    let reason = outcome(&frozen)["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("cannot change while it runs"), "{reason}");
}

#[test]
fn averages_and_rules_come_and_go_with_an_epoch() {
    let with = ("schedule:\n", "regularization: { ema: { decay: 0.9 }, early_stopping: { patience: 1 } }\nschedule:\n");
    let ran = run(&[(4, "epoch", &[with])]);
    let ema: Vec<bool> = ran.of_kind("epoch_finished").iter().map(|event| event["val_ema"].is_object()).collect();
    assert_eq!(ema[..3], [false, false, true]);
    assert!(ran.of_kind("run_finished").len() == 1);
}
