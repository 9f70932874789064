//! Focal loss and oversampling in runs.

use super::super::sampling;
use super::{dataset, images, planned, run};

#[test]
fn focal_loss_trains_and_validation_stays_cross_entropy() {
    let losses = |sets: &[&str]| -> Vec<[f64; 2]> {
        let ran = run(sets);
        let epochs = ran.of_kind("epoch_finished");
        epochs.iter().map(|e| [&e["train_loss"], &e["val"]["loss"]].map(|loss| loss.as_f64().unwrap())).collect()
    };
    let plain = losses(&[]);
    let zero = losses(&["regularization.focal_loss={ gamma: 0 }"]);
    for (plain, zero) in plain.iter().zip(&zero) {
        assert!((plain[0] - zero[0]).abs() < 1e-5 && (plain[1] - zero[1]).abs() < 1e-5, "{plain:?} {zero:?}");
    }
    let focal = losses(&["regularization.focal_loss={ gamma: 2 }"]);
    // The weight `(1 - p)^2` is below 1 for every sample.
    assert!(focal.iter().all(|[train, val]| train < &(0.6 * val)), "{focal:?}");
    assert!(focal[4][0] < focal[0][0], "it learns: {focal:?}");
    let quarter = losses(&["regularization.focal_loss={ gamma: 2, alpha: 0.25 }", "schedule.phases.0.lr=0.4"]);
    assert!((quarter[0][0] - 0.25 * focal[0][0]).abs() < 1e-5, "a factor of the loss is one of the rate");
}

#[test]
fn oversampling_draws_the_training_split_alone() {
    let dir = images();
    let plan = planned(dir.path(), &["data.oversample=balanced"]);
    let data = dataset(&plan, dir.path());
    let labels = |places: &[usize]| {
        let of = |label| places.iter().filter(|&&place| data.samples.samples[place].label == label).count();
        [of(0), of(1)]
    };
    // 12 blue and 24 red, half of them to train.
    assert_eq!(labels(&data.train), [6, 12]);
    let drawn = sampling::drawn(&data, &plan.spec, 1);
    assert_eq!(labels(&drawn), [12, 12]);
    assert!(drawn.iter().all(|place| data.train.contains(place)));
    assert!(data.train.iter().all(|place| drawn.contains(place)));
    assert_eq!(sampling::counts(&data, &plan.spec), [12, 12]);
    assert_eq!(plan.drawn, Some(vec![12, 12]));
    let plain = planned(dir.path(), &[]);
    assert_eq!(sampling::drawn(&data, &plain.spec, 1).as_ref(), data.train);
    assert_eq!((sampling::counts(&data, &plain.spec), plain.drawn), (vec![6, 12], None));
}

#[test]
fn an_oversampled_run_draws_what_it_says_each_epoch_and_again_the_same() {
    let sets = ["data.oversample={ blue: 2.5 }", "augmentation.train=[{ rotate: { degrees: 20 } }]"];
    let (one, other) = (run(&sets), run(&sets));
    assert_eq!(one.events[0]["drawn"], 15 + 12);
    assert_eq!(one.drawn, [27; 5]);
    assert!(one.weights("last") == other.weights("last"));
    assert_eq!(run(&[]).events[0].get("drawn"), None);
}
