use crate::StochasticPool;
use runner_plugin::Shape;
use runner_plugin::testing::{Trial, Values};
use serde_json::json;

fn pool(size: usize, stride: usize) -> Trial<StochasticPool> {
    Trial::new(json!({ "size": size, "stride": stride })).unwrap()
}

/// Activations as after a ReLU, away from 0 where they are not 0.
fn activations(shape: impl Into<Shape>, seed: u64) -> Values {
    Values::random(shape, seed).map(|x| if x < -0.3 { 0.0 } else { x + 1.3 })
}

#[test]
fn the_stride_is_the_size_unless_it_is_given() {
    let shape = |arguments: serde_json::Value| {
        Trial::<StochasticPool>::new(arguments).unwrap().output_shape(&[[7, 5, 3].into()]).unwrap()
    };
    assert_eq!(shape(json!({ "size": 2 })), [3, 2, 3].into());
    assert_eq!(shape(json!({ "size": 3, "stride": 2 })), [3, 2, 3].into());
    assert_eq!(shape(json!({ "size": 1, "stride": 4 })), [2, 2, 3].into());
    assert_eq!(shape(json!({ "size": 5 })), [1, 1, 3].into());
}

#[test]
fn what_does_not_fit_is_refused() {
    let error = |arguments| Trial::<StochasticPool>::new(arguments).unwrap_err().to_string();
    assert_eq!(error(json!({ "size": 0 })), "size and stride must be at least 1");
    assert_eq!(error(json!({ "size": 2, "stride": 0 })), "size and stride must be at least 1");
    assert!(error(json!({ "size": -1 })).starts_with("invalid value: integer `-1`"));
    let error = |shape: &[usize]| pool(3, 1).output_shape(&[Shape::new(shape).unwrap()]).unwrap_err().to_string();
    assert_eq!(error(&[2, 3, 1]), "a window of 3 x 3 does not fit into 2 x 3");
    assert_eq!(error(&[9]), "the input must be images (H, W, C), not (9)");
}

#[test]
fn evaluation_gives_the_mean_weighted_by_the_values() {
    // Two channels: 1, 2, 3, 4 and -1, 0, 2, 2.
    let x = Values::new([1, 2, 2, 2], vec![1.0, -1.0, 2.0, 0.0, 3.0, 2.0, 4.0, 2.0]);
    assert_eq!(pool(2, 2).forward(&[x], &[]).unwrap(), [30.0 / 10.0, 8.0 / 4.0]);
}

#[test]
fn windows_of_zeros_give_0_and_no_gradient() {
    let x = Values::new([1, 2, 2, 1], vec![0.0, -1.0, 0.0, -2.0]);
    for trial in [pool(2, 2), pool(2, 2).training(3)] {
        assert_eq!(trial.forward(std::slice::from_ref(&x), &[]).unwrap(), [0.0]);
        let gradients = trial.backward(std::slice::from_ref(&x), &[], &[1.0]).unwrap();
        assert_eq!(gradients.inputs, [Some(vec![0.0; 4])]);
    }
}

#[test]
fn what_is_not_finite_is_not_hidden() {
    for value in [f32::NAN, f32::INFINITY] {
        let x = Values::new([1, 2, 2, 1], vec![1.0, value, 0.0, 2.0]);
        for trial in [pool(2, 2), pool(2, 2).training(3)] {
            assert!(!trial.forward(std::slice::from_ref(&x), &[]).unwrap()[0].is_finite(), "{value}");
        }
    }
}

#[test]
fn training_samples_each_value_as_often_as_it_is_large() {
    let values = [0.0, 1.0, 2.0, -1.0, 3.0, 4.0, 0.0, 0.0, 2.5];
    let batch = 20_000;
    let x = Values::new([batch, 3, 3, 1], values.repeat(batch));
    let y = pool(3, 3).training(11).forward(&[x], &[]).unwrap();
    let total: f32 = values.iter().filter(|value| **value > 0.0).sum();
    for value in [1.0_f32, 2.0, 2.5, 3.0, 4.0] {
        let (share, p) = (y.iter().filter(|y| **y == value).count() as f32 / batch as f32, value / total);
        let deviation = (p * (1.0 - p) / batch as f32).sqrt();
        assert!((share - p).abs() < 4.0 * deviation, "{value}: {share}, not {p}");
    }
    assert!(y.iter().all(|y| *y > 0.0), "nothing else is sampled");
}

#[test]
fn the_expectation_in_training_is_the_output_in_evaluation() {
    // One image many times over: every sample has a key of its own.
    let (batch, image) = (4000, activations([1, 5, 5, 3], 2));
    let x = Values::new([batch, 5, 5, 3], image.values.repeat(batch));
    let mean = pool(3, 2).forward(&[image], &[]).unwrap();
    let sampled = pool(3, 2).training(5).forward(&[x], &[]).unwrap();
    for (i, expected) in mean.iter().enumerate() {
        let values: Vec<f64> = sampled.iter().skip(i).step_by(mean.len()).map(|y| f64::from(*y)).collect();
        let n = values.len() as f64;
        let average = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|y| (y - average).powi(2)).sum::<f64>() / n;
        let (difference, error) = ((average - f64::from(*expected)).abs(), (variance / n).sqrt());
        assert!(difference < 4.5 * error + 1e-6, "{i}: {average}, not {expected} within {error}");
    }
}

#[test]
fn the_gradient_in_training_goes_to_what_was_sampled() {
    let x = activations([2, 4, 4, 5], 7).map(|x| x + 0.01);
    let trial = pool(2, 2).training(9);
    let y = trial.forward(std::slice::from_ref(&x), &[]).unwrap();
    let dx = trial.backward(std::slice::from_ref(&x), &[], &vec![1.0; y.len()]).unwrap().inputs.remove(0).unwrap();
    let mut sampled: Vec<f32> = x.values.iter().zip(&dx).filter(|(_, dx)| **dx == 1.0).map(|(x, _)| *x).collect();
    let mut outputs = y;
    sampled.sort_by(f32::total_cmp);
    outputs.sort_by(f32::total_cmp);
    assert_eq!(sampled, outputs);
    assert!(dx.iter().all(|dx| *dx == 0.0 || *dx == 1.0));
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (size, stride) in [(2, 2), (3, 2), (2, 3), (1, 1), (4, 4)] {
        let x = activations([2, 5, 4, 3], 1);
        let checked = pool(size, stride).check_gradients(std::slice::from_ref(&x), &[]);
        assert!(checked.compared > 60, "{checked:?}");
        for key in 0..3 {
            let checked = pool(size, stride).training(key).check_gradients(std::slice::from_ref(&x), &[]);
            assert!(checked.compared > 60, "{checked:?}");
        }
    }
}

#[test]
fn a_sample_draws_the_same_whatever_stands_beside_it() {
    let (one, two) = (activations([1, 6, 6, 4], 1), activations([1, 6, 6, 4], 2));
    let both = Values::new([2, 6, 6, 4], [one.values.clone(), two.values].concat());
    let trial = pool(2, 2).training(4);
    let (alone, together) = (trial.forward(&[one], &[]).unwrap(), trial.forward(&[both], &[]).unwrap());
    assert_eq!(alone, together[..alone.len()]);
}
