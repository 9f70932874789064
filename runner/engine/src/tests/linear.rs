//! Products with matrices, biases, the loss.

use super::check::{BOTH, Check, normal, tensors};
use crate::{Cpu, Kernels, Tape};

fn product(a: &[f64], b: &[f64], rows: usize, inner: usize, columns: usize) -> Vec<f64> {
    let entry = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * columns + j]).sum();
    (0..rows * columns).map(|at| entry(at / columns, at % columns)).collect()
}

#[test]
fn matrices() {
    // The last ones are split over columns and over rows.
    for (rows, inner, columns) in [(1, 1, 1), (5, 7, 3), (4, 130, 300), (300, 20, 140), (3, 2, 513)] {
        Check {
            name: format!("{rows}x{inner}x{columns}"),
            operands: vec![normal(1, &[rows, inner]), normal(2, &[inner, columns])],
            differentiable: 2,
            operation: &|tape, operands| Cpu::matmul(tape, &operands[0], &operands[1]),
            reference: &|operands| product(&operands[0], &operands[1], rows, inner, columns),
            forward: 2e-6,
            backward: 5e-6,
        }
        .run();
    }
}

#[test]
fn biases() {
    for dims in [vec![3, 4, 5, 7], vec![200, 9], vec![1, 1]] {
        let columns = *dims.last().unwrap();
        Check {
            name: format!("bias of {dims:?}"),
            operands: vec![normal(1, &dims), normal(2, &[columns])],
            differentiable: 2,
            operation: &|tape, operands| Cpu::add_bias(tape, &operands[0], &operands[1]),
            reference: &|operands| operands[0].iter().enumerate().map(|(i, x)| x + operands[1][i % columns]).collect(),
            forward: 1e-6,
            backward: 3e-6,
        }
        .run();
    }
}

/// The definition, `-sum(targets * ln(softmax))`.
fn cross_entropy(logits: &[f64], targets: &[f64], classes: usize) -> f64 {
    let row = |(logits, targets): (&[f64], &[f64])| {
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let normalizer = largest + logits.iter().map(|z| (z - largest).exp()).sum::<f64>().ln();
        logits.iter().zip(targets).map(|(z, t)| t * (normalizer - z)).sum::<f64>()
    };
    logits.chunks(classes).zip(targets.chunks(classes)).map(row).sum()
}

#[test]
fn losses() {
    for (rows, classes, stretch) in [(1, 2, 1.0), (7, 5, 3.0), (32, 10, 20.0)] {
        let (dims, targets) = normal(2, &[rows, classes]);
        // Distributions that do not sum to one, as class weights and the batch's division make.
        let targets = (dims, targets.into_iter().map(|t| t.abs() / rows as f32).collect());
        let (dims, logits) = normal(1, &[rows, classes]);
        Check {
            name: format!("cross entropy {rows}x{classes}"),
            operands: vec![(dims, logits.into_iter().map(|z| stretch * z).collect()), targets],
            differentiable: 1,
            operation: &|tape, operands| Cpu::cross_entropy(tape, &operands[0], &operands[1]),
            reference: &|operands| vec![cross_entropy(&operands[0], &operands[1], classes)],
            forward: 2e-6,
            backward: 2e-5,
        }
        .run();
    }
}

#[test]
fn loss_of_extreme_logits_is_finite_and_of_nan_is_nan() {
    let device = Cpu::default();
    for kernels in BOTH {
        let loss = |logits: Vec<f32>| {
            let all = tensors(&device, &[(vec![1, 3], logits), (vec![1, 3], vec![0.0, 1.0, 0.0])], &[]);
            Cpu::cross_entropy(&mut Tape::off(kernels), &all[0], &all[1]).unwrap().to_vec()[0]
        };
        assert_eq!(loss(vec![1e4, 0.0, -1e4]), 1e4, "{kernels:?}");
        assert!(loss(vec![f32::NAN, 0.0, 1.0]).is_nan(), "{kernels:?}");
    }
}
