use crate::DropConnect;
use runner_plugin::testing::{Trial, Values};
use serde_json::{Value, json};

fn layer(arguments: Value) -> Trial<DropConnect> {
    Trial::new(arguments).unwrap()
}

fn weights(features: usize, outputs: usize, seed: u64) -> Vec<Values> {
    vec![Values::random([features, outputs], seed), Values::random([outputs], seed + 1)]
}

#[test]
fn what_does_not_fit_is_refused() {
    let error = |arguments| Trial::<DropConnect>::new(arguments).unwrap_err().to_string();
    assert_eq!(error(json!({ "out": 0 })), "out must be at least 1");
    for p in [json!(1.0), json!(-0.1), json!(0.999_999_9), json!(1e300)] {
        assert!(error(json!({ "out": 1, "p": p })).starts_with("p must be from 0 to 0.9999, not"), "{p}");
    }
    assert!(Trial::<DropConnect>::new(json!({ "out": 1, "p": 0.9999 })).is_ok());
    let error = layer(json!({ "out": 1 })).output_shape(&[[2, 2, 3].into()]).unwrap_err();
    assert_eq!(error.to_string(), "the input must be features (F), not (2, 2, 3)");
}

#[test]
fn evaluation_is_a_linear_layer() {
    let x = Values::new([2, 3], vec![1.0, 2.0, 3.0, -1.0, 0.5, 0.0]);
    let weight = Values::new([3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let bias = Values::new([2], vec![10.0, 20.0]);
    let expected = [32.0, 48.0, 10.5, 20.0];
    let y = layer(json!({ "out": 2 })).forward(std::slice::from_ref(&x), &[weight.clone(), bias]).unwrap();
    assert_eq!(y, expected);
    let y = layer(json!({ "out": 2, "bias": false })).forward(&[x], &[weight]).unwrap();
    assert_eq!(y, [22.0, 28.0, 0.5, 0.0]);
}

#[test]
fn with_p_of_0_training_is_evaluation() {
    let (x, weights) = (Values::random([3, 7], 1), weights(7, 9, 2));
    let trial = layer(json!({ "out": 9, "p": 0.0 }));
    let expected = trial.forward(std::slice::from_ref(&x), &weights).unwrap();
    assert_eq!(trial.training(5).forward(&[x], &weights).unwrap(), expected);
}

/// The masks that training draws, as y = mask for an input that is 1 for one feature alone.
fn masks(p: f64, features: usize, outputs: usize, batch: usize) -> Vec<Vec<f32>> {
    let trial = layer(json!({ "out": outputs, "p": p, "bias": false })).training(3);
    let weight = Values::new([features, outputs], vec![1.0; features * outputs]);
    let of = |feature| {
        let one = |i: usize| f32::from(u8::from(i % features == feature));
        let x = Values::new([batch, features], (0..batch * features).map(one).collect());
        trial.forward(&[x], std::slice::from_ref(&weight)).unwrap()
    };
    (0..features).map(of).collect()
}

#[test]
fn weights_are_dropped_as_often_as_p_says_each_by_itself() {
    for p in [0.5, 0.2, 0.9] {
        let (features, outputs, batch) = (6, 27, 400);
        let masks = masks(p, features, outputs, batch);
        let scale = (1.0 / (1.0 - p)) as f32;
        assert!(masks.iter().flatten().all(|m| *m == 0.0 || (m - scale).abs() < 1e-3 * scale), "0 or the scale");
        let share = |dropped: &dyn Fn(usize, usize, usize) -> bool| {
            let all = (0..features).flat_map(|f| (0..batch).flat_map(move |n| (0..outputs).map(move |o| (f, n, o))));
            let (mut count, mut total) = (0.0, 0.0);
            for (f, n, o) in all {
                total += 1.0;
                count += f64::from(u8::from(dropped(f, n, o)));
            }
            count / total
        };
        let at = |f: usize, n: usize, o: usize| masks[f % features][n % batch * outputs + o % outputs] == 0.0;
        let near = |share: f64, expected: f64| (share - expected).abs() < 4.5 * 0.5 / f64::sqrt(64_800.0);
        assert!(near(share(&at), p), "{p}: {}", share(&at));
        // Two at once: as often as of two that know nothing of each other. Outputs 16 apart share a number.
        let together = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 16)];
        for (df, dn, d_o) in together {
            let both = share(&|f, n, o| at(f, n, o) && at(f + df, n + dn, o + d_o));
            assert!(near(both, p * p), "{p}: {both} at {df}, {dn}, {d_o}");
        }
    }
}

#[test]
fn the_expectation_in_training_is_the_output_in_evaluation() {
    let (batch, features, outputs) = (5000, 6, 11);
    let (one, weights) = (Values::random([1, features], 1), weights(features, outputs, 4));
    let trial = layer(json!({ "out": outputs, "p": 0.3 }));
    let expected = trial.forward(std::slice::from_ref(&one), &weights).unwrap();
    let many = Values::new([batch, features], one.values.repeat(batch));
    let drawn = trial.training(8).forward(&[many], &weights).unwrap();
    for (i, expected) in expected.iter().enumerate() {
        let values: Vec<f64> = drawn.iter().skip(i).step_by(outputs).map(|y| f64::from(*y)).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let error = (values.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n / n).sqrt();
        assert!(error > 1e-4, "training is random");
        assert!((mean - f64::from(*expected)).abs() < 4.5 * error, "{i}: {mean}, not {expected} within {error}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (features, outputs) in [(1, 1), (5, 9), (12, 16), (3, 27)] {
        for bias in [true, false] {
            let trial = layer(json!({ "out": outputs, "bias": bias, "p": 0.4 }));
            let x = [Values::random([3, features], 1)];
            let parameters = &weights(features, outputs, 2)[..1 + usize::from(bias)];
            let all = 3 * features + features * outputs + if bias { outputs } else { 0 };
            for trial in [trial, layer(json!({ "out": outputs, "bias": bias })).training(6)] {
                let checked = trial.check_gradients(&x, parameters);
                assert_eq!((checked.compared, checked.skipped), (all, 0));
            }
        }
    }
}

#[test]
fn a_sample_draws_the_same_whatever_stands_beside_it() {
    let (one, two, weights) = (Values::random([1, 8], 1), Values::random([1, 8], 2), weights(8, 5, 3));
    let both = Values::new([2, 8], [one.values.clone(), two.values].concat());
    let trial = layer(json!({ "out": 5 })).training(4);
    let (alone, together) = (trial.forward(&[one], &weights).unwrap(), trial.forward(&[both], &weights).unwrap());
    assert_eq!(alone, together[..alone.len()]);
}

#[test]
fn the_plan_is_told_of_weight_bias_and_work() {
    let trial = layer(json!({ "out": 27 }));
    let shapes = [[512].into()];
    let parameters = trial.parameters(&shapes).unwrap();
    let described: Vec<_> = parameters.iter().map(|p| (p.name.as_str(), p.shape, p.weight_decay)).collect();
    assert_eq!(described, [("weight", [512, 27].into(), true), ("bias", [27].into(), false)]);
    assert_eq!(trial.multiply_adds(&shapes), Ok(512 * 27));
}
