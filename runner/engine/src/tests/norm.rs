//! Batch normalization.

use super::check::{BOTH, Check, close, normal, tensors};
use super::elementwise::value;
use crate::{Activation, Cpu, Kernels, Tape};

const EPS: f32 = 1e-3;
const ACTIVATIONS: [Option<Activation>; 4] =
    [None, Some(Activation::Relu), Some(Activation::Relu6), Some(Activation::Silu)];

fn moments(x: &[f64], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let count = (x.len() / channels) as f64;
    let mean: Vec<f64> = (0..channels).map(|c| x[c..].iter().step_by(channels).sum::<f64>() / count).collect();
    let square = |c: usize| x[c..].iter().step_by(channels).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / count;
    let variance = (0..channels).map(square).collect();
    (mean, variance)
}

/// The definition, by given statistics.
fn normalized(operands: &[Vec<f64>], mean: &[f64], variance: &[f64], activation: Option<Activation>) -> Vec<f64> {
    let (x, scale, shift) = (&operands[0], &operands[1], &operands[2]);
    let channels = scale.len();
    let one = |(i, x): (usize, &f64)| {
        let c = i % channels;
        value(activation, (x - mean[c]) / (variance[c] + f64::from(EPS)).sqrt() * scale[c] + shift[c])
    };
    x.iter().enumerate().map(one).collect()
}

#[test]
fn by_the_batch() {
    for activation in ACTIVATIONS {
        for dims in [vec![3, 4, 5, 7], vec![2, 1, 1, 3], vec![13, 6], vec![5, 13, 11, 17]] {
            let c = *dims.last().unwrap();
            Check {
                name: format!("batch norm of {dims:?}, {activation:?}"),
                operands: vec![normal(1, &dims), normal(2, &[c]), normal(3, &[c])],
                differentiable: 3,
                operation: &|tape, o| {
                    Cpu::batch_norm_training(tape, &o[0], &o[1], &o[2], EPS, activation).map(|(y, _)| y)
                },
                reference: &|operands| {
                    let (mean, variance) = moments(&operands[0], c);
                    normalized(operands, &mean, &variance, activation)
                },
                forward: 4e-6,
                backward: 3e-5,
            }
            .run();
        }
    }
}

#[test]
fn by_given_statistics() {
    for activation in ACTIVATIONS {
        for dims in [vec![3, 4, 5, 7], vec![13, 6]] {
            let c = *dims.last().unwrap();
            let variance: Vec<f32> = normal(5, &[c]).1.into_iter().map(|v| v * v + 0.1).collect();
            Check {
                name: format!("batch norm of {dims:?} by given statistics, {activation:?}"),
                operands: vec![
                    normal(1, &dims),
                    normal(2, &[c]),
                    normal(3, &[c]),
                    normal(4, &[c]),
                    (vec![c], variance),
                ],
                differentiable: 3,
                operation: &|tape, o| {
                    Cpu::batch_norm_inference(tape, &o[0], &o[1], &o[2], &o[3], &o[4], EPS, activation)
                },
                reference: &|operands| normalized(operands, &operands[3], &operands[4], activation),
                forward: 4e-6,
                backward: 1e-5,
            }
            .run();
        }
    }
}

#[test]
fn statistics_survive_a_mean_much_larger_than_the_deviation() {
    let dims = [4, 9, 8, 5];
    let mut x = normal(1, &dims).1;
    for (i, x) in x.iter_mut().enumerate() {
        *x += [0.0, 10.0, 1e3, -1e4, 3e4][i % 5];
    }
    let exact: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let (mean, variance) = moments(&exact, 5);
    for kernels in BOTH {
        let device = Cpu::default();
        let all =
            tensors(&device, &[(dims.to_vec(), x.clone()), (vec![5], vec![1.0; 5]), (vec![5], vec![0.0; 5])], &[]);
        let (y, statistics) =
            Cpu::batch_norm_training(&mut Tape::off(kernels), &all[0], &all[1], &all[2], EPS, None).unwrap();
        assert_eq!(statistics.count, 4 * 9 * 8);
        for (&found, &mean) in statistics.mean.to_vec().iter().zip(&mean) {
            let off = (f64::from(found) - mean).abs();
            assert!(off <= 1e-6 * mean.abs() + 1e-6, "{kernels:?} mean: {found} for {mean}");
        }
        if kernels == crate::KernelSet::Fast {
            close("variance", &statistics.variance.to_vec(), &variance, 1e-5);
            let expected = normalized(&[exact.clone(), vec![1.0; 5], vec![0.0; 5]], &mean, &variance, None);
            // The mean itself is rounded to f32: half of its last bit, 1e-3 at 3e4.
            close("normalized", &y.to_vec(), &expected, 1e-3);
        }
    }
}
