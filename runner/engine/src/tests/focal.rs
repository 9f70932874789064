//! Focal loss: its value, its gradient, its corners.

use super::check::{BOTH, Check, close, normal, run, tensors};
use crate::{Cpu, Kernels, Tape};

const N: usize = 5;
const K: usize = 4;

/// The definition, in `f64`.
fn focal(logits: &[f64], targets: &[f64], gamma: f64) -> f64 {
    let rows = logits.chunks(K).zip(targets.chunks(K));
    rows.flat_map(|(logits, targets)| {
        let sum: f64 = logits.iter().map(|z| z.exp()).sum();
        logits.iter().zip(targets).map(move |(z, t)| {
            let p = z.exp() / sum;
            -t * (1.0 - p).powf(gamma) * p.ln()
        })
    })
    .sum()
}

/// Targets as training makes them: smoothed, weighted, one row without any.
fn targets() -> (Vec<usize>, Vec<f32>) {
    let (dims, values) = normal(8, &[N, K]);
    let positive = |(i, value): (usize, f32)| if i / K == 2 { 0.0 } else { value.abs() / 7.0 };
    (dims, values.into_iter().enumerate().map(positive).collect())
}

#[test]
fn the_loss_and_its_gradient_are_those_of_the_definition() {
    for gamma in [0.0, 0.5, 1.0, 2.0, 5.0] {
        Check {
            name: format!("focal loss, gamma {gamma}"),
            operands: vec![normal(7, &[N, K]), targets()],
            differentiable: 1,
            operation: &|tape, operands| Cpu::focal_loss(tape, &operands[0], &operands[1], gamma),
            reference: &|operands| vec![focal(&operands[0], &operands[1], gamma)],
            forward: 2e-6,
            backward: 1e-5,
        }
        .run();
    }
}

#[test]
fn with_gamma_0_it_is_cross_entropy() {
    let device = crate::device::open_cpu().unwrap();
    for kernels in BOTH {
        let operands = tensors(&device, &[normal(7, &[N, K]), targets()], &[0]);
        let gradient = |operation: &dyn Fn(&mut Tape<Cpu>, &[_]) -> _| run(kernels, operation, &operands, &[1.0]);
        let (focal, of_focal) = gradient(&|tape, x| Cpu::focal_loss(tape, &x[0], &x[1], 0.0));
        let (plain, of_plain) = gradient(&|tape, x| Cpu::cross_entropy(tape, &x[0], &x[1]));
        let exact = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        close("loss", &focal, &exact(&plain), 1e-6);
        close("gradient", &of_focal[0], &exact(&of_plain[0]), 1e-6);
    }
}

#[test]
fn certainty_is_borne() {
    let device = crate::device::open_cpu().unwrap();
    let operands = [(vec![2, 2], vec![200.0, -200.0, -200.0, 200.0]), (vec![2, 2], vec![0.5, 0.0, 0.5, 0.0])];
    for kernels in BOTH {
        for gamma in [0.5, 2.0] {
            let operands = tensors(&device, &operands, &[0]);
            let operation = &|tape: &mut Tape<Cpu>, x: &[_]| Cpu::focal_loss(tape, &x[0], &x[1], gamma);
            let (loss, gradients) = run(kernels, operation, &operands, &[1.0]);
            // The first row is right beyond doubt and costs nothing, the second is as wrong.
            assert!((loss[0] - 200.0).abs() < 1e-3, "{kernels:?}, gamma {gamma}: {loss:?}");
            close("slope", &gradients[0], &[0.0, 0.0, -0.5, 0.5], 1e-3);
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_an_error() {
    let device = Cpu::default();
    for kernels in BOTH {
        let x = tensors(&device, &[normal(1, &[2, 3]), normal(2, &[3, 2])], &[]);
        assert!(Cpu::focal_loss(&mut Tape::off(kernels), &x[0], &x[1], 2.0).is_err());
    }
}
