//! Averages of the weights.

use super::super::average::{Average, Whose};
use super::super::statistics;
use super::{Ran, Steps, Weights, batch, drawn, images, near, planned, run, weights};
use crate::data::Batch;
use crate::engine::Cpu;
use crate::layers::NormMode;
use crate::net::Net;
use crate::random::{Key, Purpose};
use crate::weights::WeightFile;

fn averaged(average: &Average<Cpu>, net: &Net<Cpu>) -> Weights {
    let values = average.tensors().iter().map(crate::engine::Tensor::to_vec);
    net.graph.params.iter().map(|param| param.name.clone()).zip(values).collect()
}

/// The average in a checkpoint.
fn kept(weights: &Weights) -> Weights {
    let of_average =
        |(name, values): (&String, &Vec<f32>)| Some((name.strip_prefix("average.")?.to_owned(), values.clone()));
    weights.iter().filter_map(of_average).collect()
}

#[test]
fn a_moving_average_is_that_computed_by_hand() {
    for (ema, decays) in [
        ("{ decay: 0.9 }", vec![0.0, 0.9, 0.9, 0.9]),
        ("{ decay: 0.5, warm_up: true }", vec![0.0, 1.0 - 2.0_f64.powf(-2.0 / 3.0), 0.5, 0.5]),
    ] {
        let mut steps = Steps::new(&[&format!("regularization.ema={ema}")]);
        let mut by_hand: std::collections::BTreeMap<String, Vec<f64>> = std::collections::BTreeMap::new();
        for decay in decays {
            steps.take(0, 1);
            for (name, values) in steps.weights() {
                let average = by_hand.entry(name).or_insert_with(|| vec![0.0; values.len()]);
                average.iter_mut().zip(values).for_each(|(a, w)| *a = decay * *a + (1.0 - decay) * f64::from(w));
            }
        }
        for (name, values) in averaged(steps.average.as_ref().unwrap(), &steps.net) {
            values.iter().zip(&by_hand[&name]).for_each(|(&found, &expected)| near(found, expected, 1e-6));
        }
    }
}

#[test]
fn what_is_frozen_is_in_the_average_bit_by_bit() {
    let mut steps = Steps::new(&["regularization.ema={ decay: 0.99 }"]);
    // The head alone: the rest was never moved.
    steps.take(1, 5);
    let same = |steps: &Steps| -> Vec<String> {
        let (average, raw) = (averaged(steps.average.as_ref().unwrap(), &steps.net), steps.weights());
        raw.into_iter().filter(|(name, values)| average[name] == *values).map(|(name, _)| name).collect()
    };
    let frozen: Vec<String> = steps.weights().into_keys().filter(|name| name.starts_with("layers.")).collect();
    assert_eq!(same(&steps), frozen);
    // All, and then the head alone: what stops moving is taken over.
    steps.take(0, 5);
    assert_eq!(same(&steps), Vec::<String>::new());
    steps.take(1, 5);
    assert_eq!(same(&steps), frozen);
}

#[test]
fn both_are_evaluated_and_the_better_is_kept_and_named() {
    let ran = run(&["regularization.ema={ decay: 0.7 }", "schedule.phases.0.lr=0.5"]);
    let epochs = ran.of_kind("epoch_finished");
    assert_eq!(epochs.len(), 5);
    let (mut best, mut whose) = (f64::INFINITY, "");
    for event in &epochs {
        let [raw, ema] = ["val", "val_ema"].map(|key| event[key]["loss"].as_f64().unwrap());
        assert!(raw != ema);
        assert_eq!(event["best"], raw.min(ema) < best);
        if event["best"] == true {
            (best, whose) = if ema < raw { (ema, "ema") } else { (raw, "raw") };
            assert_eq!(event["best_weights"], whose);
        } else {
            assert_eq!(event.get("best_weights"), None);
        }
    }
    let about = ran.about("best");
    assert_eq!((about.weights.name(), about.watched), (whose, Some(best)));
    assert_eq!(ran.of_kind("run_finished")[0]["best_weights"], whose);
    let epoch = &ran.epochs[about.position.epoch - 1];
    let expected = if whose == "ema" { kept(epoch) } else { raw(epoch) };
    assert_eq!(ran.weights("best"), expected);
}

/// The weights of a checkpoint alone.
fn raw(weights: &Weights) -> Weights {
    let other = |name: &str| name.starts_with("average.") || name.starts_with("optimizer.");
    weights.iter().filter(|(name, _)| !other(name)).map(|(name, values)| (name.clone(), values.clone())).collect()
}

#[test]
fn an_average_goes_on_from_a_checkpoint() {
    let ran = run(&["regularization.ema={ decay: 0.7 }"]);
    let steps = Steps::new(&["regularization.ema={ decay: 0.7 }"]);
    let mut average = steps.average.unwrap();
    let state = ran.about("last").run.unwrap().average.unwrap();
    // 5 epochs of 3 steps: 18 images in batches of 7.
    assert_eq!((state.whose, state.taken), (Whose::Ema, 15));
    average.resume(&mut WeightFile::open(&ran.file("last")).unwrap(), state, &steps.net).unwrap();
    assert_eq!(average.state(), state);
    let file = kept(&weights(&ran.file("last")));
    let memory = averaged(&average, &steps.net);
    assert_eq!(memory["layers.1.running_mean"], file["layers.1.running_mean"]);
    assert_eq!(memory["head.1.bias"], file["head.1.bias"]);
}

/// Which epochs' mean is in the average of a run, by a tensor.
fn mean(ran: &Ran, epochs: &[usize], name: &str) -> Vec<f64> {
    let mut mean = vec![0.0; ran.epochs[0][name].len()];
    for &epoch in epochs {
        let values = ran.epochs[epoch - 1][name].iter();
        mean.iter_mut().zip(values).for_each(|(sum, &w)| *sum += f64::from(w) / epochs.len() as f64);
    }
    mean
}

#[test]
fn the_mean_over_epochs_is_that_of_their_weights() {
    let one_phase = "schedule.phases=[{ name: all, epochs: 5, train: ['*'], lr: 0.2 }]";
    let ran = run(&[one_phase, "regularization.swa={ from_epoch: 2, every: 2 }"]);
    let average = kept(&ran.weights("last"));
    for name in ["layers.0.weight", "layers.1.weight", "head.1.weight", "head.1.bias"] {
        let expected = mean(&ran, &[2, 4], name);
        average[name].iter().zip(expected).for_each(|(&found, expected)| near(found, expected, 1e-6));
    }
    let finished = ran.of_kind("average_finished");
    assert_eq!((finished.len(), &finished[0]["epochs"]), (1, &2.into()));
    let best =
        ran.of_kind("epoch_finished").iter().map(|event| event["val"]["loss"].as_f64().unwrap()).fold(9.0, f64::min);
    let of_mean = finished[0]["val"]["loss"].as_f64().unwrap();
    assert_eq!(finished[0]["best"], of_mean < best);
    let whose = if of_mean < best { "swa" } else { "raw" };
    assert_eq!(ran.about("best").weights.name(), whose);
    assert_eq!(ran.of_kind("run_finished")[0]["best_weights"], whose);
    // The statistics are taken anew: they are not the mean of those of the epochs.
    let means = mean(&ran, &[2, 4], "layers.1.running_mean");
    assert!(average["layers.1.running_mean"].iter().zip(means).any(|(&a, b)| (f64::from(a) - b).abs() > 1e-4));
}

#[test]
fn a_mean_that_is_better_becomes_the_best() {
    // Noise keeps the weights jumping about a place that the mean comes closer to.
    let jumpy = [
        "schedule.phases=[{ name: all, epochs: 12, train: ['*'], lr: 0.1 }]",
        "regularization={ l2: 1, gradient_noise: { eta: 4, gamma: 0 }, swa: { from_epoch: 2 } }",
    ];
    let better = (1..12).find_map(|seed| {
        let ran = run(&[jumpy[0], jumpy[1], &format!("seed={seed}")]);
        (ran.of_kind("average_finished")[0]["best"] == true).then_some(ran)
    });
    let ran = better.expect("a seed for which the mean is better");
    let about = ran.about("best");
    assert_eq!((about.weights, about.position.epoch), (Whose::Swa, 12));
    assert_eq!(about.watched, ran.of_kind("average_finished")[0]["val"]["loss"].as_f64());
    assert_eq!(ran.weights("best"), kept(&ran.weights("last")));
}

#[test]
fn a_run_that_restores_its_best_ends_with_it_whosever_it_is() {
    for average in ["ema: { decay: 0.9 }", "swa: { from_epoch: 2 }"] {
        let noise = "l2: 1, gradient_noise: { eta: 4, gamma: 0 }, early_stopping: { patience: 99, restore_best: true }";
        let ran = run(&[
            "schedule.phases=[{ name: all, epochs: 6, train: ['*'], lr: 0.1 }]",
            &format!("regularization={{ {average}, {noise} }}"),
        ]);
        assert_eq!(raw(&ran.weights("last")), ran.weights("best"), "{average}");
    }
}

#[test]
fn frozen_tensors_are_the_same_in_net_and_mean_over_phases() {
    for average in ["ema={ decay: 0.9 }", "swa={ from_epoch: 2 }"] {
        let ran = run(&[&format!("regularization.{average}")]);
        let last = ran.weights("last");
        for (name, values) in kept(&last) {
            let frozen = name.starts_with("layers.");
            assert_eq!(values == last[&name], frozen, "{average}: {name}");
        }
        let hashes = |kind| ran.of_kind(kind).iter().map(|event| event["frozen_hash"].clone()).collect::<Vec<_>>();
        assert_eq!(hashes("phase_started"), hashes("phase_finished"));
    }
}

#[test]
fn where_the_net_goes_back_the_average_begins_anew() {
    let ran = run(&[
        "regularization.ema={ decay: 0.999999 }",
        "schedule.phases.0={ name: all, epochs: 3, train: ['*'], lr: 5, restore_best: true }",
    ]);
    let back = ran.of_kind("phase_finished")[0].get("restored_epoch").cloned();
    let taken = ran.about("last").run.unwrap().average.unwrap().taken;
    // 3 steps an epoch; the second phase has 2 epochs.
    assert_eq!(taken, if back.is_some() { 6 } else { 15 });
    assert!(back.is_some(), "at this rate the first epochs are better than the last");
}

#[test]
fn the_same_run_gives_the_same_averages_to_the_last_bit() {
    for average in ["ema={ decay: 0.9, warm_up: true }", "swa={ from_epoch: 2 }"] {
        let sets = [format!("regularization.{average}"), "augmentation.train=[{ horizontal_flip: 0.5 }]".into()];
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let (one, other) = (run(&sets), run(&sets));
        for name in ["last", "best"] {
            assert!(one.weights(name) == other.weights(name), "{average}");
        }
    }
}

/// A batch of images that are one number throughout.
fn flat(values: &[f32]) -> Batch {
    let images = values.iter().flat_map(|&value| std::iter::repeat_n(value, 8 * 8 * 3)).collect();
    let count = values.len();
    Batch { images, dims: [count, 8, 8, 3], samples: (0..count as u64).collect(), ..batch() }
}

#[test]
fn statistics_taken_anew_are_the_means_over_batches() {
    let plan = planned(images().path(), &["layers=[batch_norm]"]);
    let mut net = drawn(&plan);
    let batches = [flat(&[1.0, 3.0]), flat(&[0.0, 0.0, 6.0]), flat(&[5.0, 5.0])];
    let take = |net: &mut Net<Cpu>, mode| {
        let norms = vec![mode; net.graph.nodes.len()];
        let batches = batches.iter().cloned().map(|batch| (Ok(batch), None));
        statistics::take_anew(&Cpu::default(), net, &norms, batches, Key::new(1, Purpose::Layer)).unwrap();
    };
    let before: Vec<Vec<f32>> = net.params.tensors().iter().map(crate::engine::Tensor::to_vec).collect();
    take(&mut net, NormMode::Inference);
    let after: Vec<Vec<f32>> = net.params.tensors().iter().map(crate::engine::Tensor::to_vec).collect();
    assert_eq!(before, after, "frozen statistics stay");
    take(&mut net, NormMode::Batch);
    let place =
        |name: &str| net.graph.params.iter().position(|param| param.name == format!("layers.0.{name}")).unwrap();
    // Means 2, 2 and 5; variances 1, 8 and 0, unbiased over 128, 192 and 128 pixels.
    let variance = (128.0 / 127.0 + 8.0 * 192.0 / 191.0) / 3.0;
    for channel in 0..3 {
        near(net.params.get(place("running_mean")).to_vec()[channel], 3.0, 1e-6);
        near(net.params.get(place("running_var")).to_vec()[channel], variance, 1e-5);
    }
}
