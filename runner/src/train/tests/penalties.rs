//! Penalties, bounds and noise.

use super::{DECAYING, Steps, Weights, images, near, planned, run};

/// The weights after so many steps of the first phase.
fn after(sets: &[&str], count: u64) -> Weights {
    let mut steps = Steps::new(sets);
    steps.take(0, count);
    steps.weights()
}

/// The norm of the weights into each output; outputs are the last dimension.
fn norms(values: &[f32], outputs: usize) -> Vec<f64> {
    let mut squares = vec![0.0; outputs];
    values.iter().enumerate().for_each(|(i, &w)| squares[i % outputs] += f64::from(w).powi(2));
    squares.into_iter().map(f64::sqrt).collect()
}

#[test]
fn l2_is_the_weight_decay_of_sgd() {
    for momentum in ["0", "0.9"] {
        let optimizer =
            |decay: &str| format!("schedule.optimizer={{ sgd: {{ momentum: {momentum}, weight_decay: {decay} }} }}");
        let penalty = after(&[&optimizer("0"), "regularization.l2=0.05"], 6);
        let decay = after(&[&optimizer("0.05")], 6);
        let plain = after(&[&optimizer("0")], 6);
        for (name, values) in &penalty {
            values.iter().zip(&decay[name]).for_each(|(&found, &decayed)| near(found, f64::from(decayed), 1e-6));
        }
        assert_ne!(plain["layers.0.weight"], penalty["layers.0.weight"]);
    }
}

#[test]
fn l1_pulls_every_weight_by_the_same_and_neither_norms_nor_biases() {
    let start = Steps::new(&[]).weights();
    let (plain, pulled) = (after(&[], 1), after(&["regularization.l1=0.01"], 1));
    for (name, values) in &pulled {
        for ((&pulled, &plain), &start) in values.iter().zip(&plain[name]).zip(&start[name]) {
            let pull = if DECAYING.contains(&name.as_str()) { -0.1 * 0.01 * f64::from(start.signum()) } else { 0.0 };
            near(pulled, f64::from(plain) + pull, 1e-6);
        }
    }
}

#[test]
fn l2_sp_holds_weights_at_their_start() {
    let moved = |alpha: f64| {
        // A net written as layers has no pretrained weights; here those of `layers.0` count as such.
        let mut plan = planned(images().path(), &["schedule.phases.0.lr=0.01"]);
        let place = plan.graph.params.iter().position(|param| param.name == "layers.0.weight").unwrap();
        plan.penalties[place].to_start = alpha;
        let mut steps = Steps::of(plan);
        let start = steps.weights();
        steps.take(0, 60);
        let weights = steps.weights();
        let distance = |name: &str| {
            let squares = weights[name].iter().zip(&start[name]).map(|(a, b)| f64::from(a - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        (distance("layers.0.weight"), distance("head.1.weight"))
    };
    let (free, held) = (moved(0.0), moved(50.0));
    assert!(held.0 < 0.1 * free.0, "{held:?} where free ones go {free:?}");
    assert!(held.1 > 0.5 * free.1, "the head learns on: {held:?}, {free:?}");
}

#[test]
fn max_norm_bounds_what_flows_into_each_output() {
    let sets = ["schedule.phases.0.lr=1"];
    let (free, bounded) = (after(&sets, 5), after(&[sets[0], "regularization.max_norm={ bound: 0.5 }"], 5));
    for (name, outputs) in [("layers.0.weight", 6), ("head.1.weight", 2)] {
        assert!(norms(&free[name], outputs).iter().any(|&norm| norm > 0.6), "{name} would go beyond");
        let norms = norms(&bounded[name], outputs);
        assert!(norms.iter().all(|&norm| norm <= 0.5 * (1.0 + 1e-6)), "{name}: {norms:?}");
    }
    let head = after(&[sets[0], "regularization.max_norm={ bound: 0.5, only: [head] }"], 5);
    assert!(norms(&head["layers.0.weight"], 6).iter().any(|&norm| norm > 0.6));
    assert!(norms(&head["head.1.weight"], 2).iter().all(|&norm| norm <= 0.5 * (1.0 + 1e-6)));
}

#[test]
fn gradient_noise_has_the_stated_variance_and_falls() {
    // One step at rate 1: the weights differ by the noise itself.
    let sets = ["schedule.phases.0.lr=1", "layers.0.conv2d.out=400"];
    let noisy = [sets[0], sets[1], "regularization.gradient_noise={ eta: 0.3, gamma: 1 }"];
    let variance = |before: u64| {
        let mut pair = [Steps::new(&sets), Steps::new(&noisy)];
        let [plain, noisy] = pair.each_mut().map(|steps| {
            steps.taken = before;
            steps.take(0, 1);
            steps.weights()
        });
        assert!(noisy["layers.0.bias"] != plain["layers.0.bias"], "noise is on all that trains");
        let squares = noisy["layers.0.weight"].iter().zip(&plain["layers.0.weight"]);
        let squares: Vec<f64> = squares.map(|(a, b)| f64::from(a - b).powi(2)).collect();
        squares.iter().sum::<f64>() / squares.len() as f64
    };
    // 10800 values: the deviation of their variance is 1.4%.
    assert!((variance(0) / 0.3 - 1.0).abs() < 0.06, "{}", variance(0));
    assert!((variance(2) / 0.1 - 1.0).abs() < 0.06, "{}", variance(2));
}

#[test]
fn frozen_tensors_are_not_touched_by_any_of_it() {
    let mut steps =
        Steps::new(&["regularization={ l1: 1e-2, l2: 1e-2, max_norm: { bound: 0.01 }, gradient_noise: { eta: 1 } }"]);
    let before = steps.weights();
    steps.take(1, 3);
    for (name, values) in steps.weights() {
        assert_eq!(values != before[&name], name.starts_with("head."), "{name}");
    }
}

#[test]
fn the_same_run_gives_the_same_bits() {
    let sets = ["regularization={ l1: 1e-4, l2: 1e-3, max_norm: { bound: 1 }, gradient_noise: { eta: 0.1 } }"];
    let (one, other) = (run(&sets), run(&sets));
    assert!(one.weights("last") == other.weights("last"));
    assert_ne!(run(&[]).weights("last"), one.weights("last"));
}
