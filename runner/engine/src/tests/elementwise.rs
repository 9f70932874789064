//! Activations, sums, products, joins.

use super::check::{Check, normal, tensors};
use crate::{Activation, Broadcast, Cpu, Kernels, Tape};

const ALL: [Activation; 5] =
    [Activation::Relu, Activation::Relu6, Activation::Silu, Activation::Sigmoid, Activation::Hardswish];

/// The definition of an activation.
pub fn value(activation: Option<Activation>, x: f64) -> f64 {
    match activation {
        None => x,
        Some(Activation::Relu) => x.max(0.0),
        Some(Activation::Relu6) => x.clamp(0.0, 6.0),
        Some(Activation::Silu) => x / (1.0 + (-x).exp()),
        Some(Activation::Sigmoid) => 1.0 / (1.0 + (-x).exp()),
        Some(Activation::Hardswish) => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
    }
}

/// `normal`, stretched over the corners of all activations.
fn stretched(seed: u64, dims: &[usize]) -> (Vec<usize>, Vec<f32>) {
    let (dims, values) = normal(seed, dims);
    (dims, values.into_iter().map(|value| 4.0 * value).collect())
}

#[test]
fn activations() {
    for activation in ALL {
        Check {
            name: format!("{activation:?}"),
            operands: vec![stretched(1, &[3, 5, 2, 7])],
            differentiable: 1,
            operation: &|tape, operands| Cpu::activate(tape, &operands[0], activation),
            reference: &|operands| operands[0].iter().map(|&x| value(Some(activation), x)).collect(),
            forward: 1e-6,
            backward: 2e-6,
        }
        .run();
    }
}

#[test]
fn activations_at_their_corners_have_the_slopes_of_torch() {
    let device = Cpu::default();
    let points = vec![-0.0, 0.0, 6.0, -3.0, 3.0];
    for kernels in super::check::BOTH {
        let slopes = |activation| {
            let x = tensors(&device, &[(vec![5], points.clone())], &[0]);
            let operation = &|tape: &mut Tape<Cpu>, x: &[_]| Cpu::activate(tape, &x[0], activation);
            super::check::run(kernels, operation, &x, &[1.0; 5]).1.remove(0)
        };
        assert_eq!(slopes(Activation::Relu), [0.0, 0.0, 1.0, 0.0, 1.0], "{kernels:?}");
        assert_eq!(slopes(Activation::Relu6), [0.0, 0.0, 0.0, 0.0, 1.0], "{kernels:?}");
    }
}

#[test]
fn activations_keep_nan_and_bear_extremes() {
    let device = Cpu::default();
    for kernels in super::check::BOTH {
        for activation in ALL {
            let values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 200.0, -200.0];
            let x = tensors(&device, &[(vec![7], values)], &[]).remove(0);
            let y = Cpu::activate(&mut Tape::off(kernels), &x, activation).unwrap().to_vec();
            assert!(y[0].is_nan(), "{kernels:?} {activation:?}: NaN became {}", y[0]);
            assert!(y[3..].iter().all(|y| y.is_finite()), "{kernels:?} {activation:?}: {y:?}");
            assert!(y[1] > 0.9, "{kernels:?} {activation:?}: {y:?}");
        }
    }
}

#[test]
fn sums() {
    for activation in ALL.map(Some).into_iter().chain([None]) {
        Check {
            name: format!("add, {activation:?}"),
            operands: vec![stretched(1, &[2, 3, 4, 5]), stretched(2, &[2, 3, 4, 5])],
            differentiable: 2,
            operation: &|tape, operands| Cpu::add(tape, &operands[0], &operands[1], activation),
            reference: &|operands| {
                operands[0].iter().zip(&operands[1]).map(|(a, b)| value(activation, a + b)).collect()
            },
            forward: 1e-6,
            backward: 2e-6,
        }
        .run();
    }
}

#[test]
fn products() {
    let (n, pixels, c) = (3, 10, 7);
    for (broadcast, dims) in
        [(Broadcast::Element, vec![n, 5, 2, c]), (Broadcast::Sample, vec![n]), (Broadcast::SampleChannel, vec![n, c])]
    {
        Check {
            name: format!("{broadcast:?}"),
            operands: vec![normal(1, &[n, 5, 2, c]), normal(2, &dims)],
            differentiable: 2,
            operation: &|tape, operands| Cpu::scale(tape, &operands[0], &operands[1], broadcast),
            reference: &|operands| {
                let factor = |i: usize| match broadcast {
                    Broadcast::Element => i,
                    Broadcast::Sample => i / (pixels * c),
                    Broadcast::SampleChannel => i / (pixels * c) * c + i % c,
                };
                operands[0].iter().enumerate().map(|(i, x)| x * operands[1][factor(i)]).collect()
            },
            forward: 1e-6,
            backward: 2e-6,
        }
        .run();
    }
}

#[test]
fn products_of_features() {
    for (broadcast, dims) in [(Broadcast::Sample, vec![4]), (Broadcast::SampleChannel, vec![4, 6])] {
        Check {
            name: format!("{broadcast:?}"),
            operands: vec![normal(1, &[4, 6]), normal(2, &dims)],
            differentiable: 2,
            operation: &|tape, operands| Cpu::scale(tape, &operands[0], &operands[1], broadcast),
            reference: &|operands| {
                let factor = |i: usize| if broadcast == Broadcast::Sample { i / 6 } else { i };
                operands[0].iter().enumerate().map(|(i, x)| x * operands[1][factor(i)]).collect()
            },
            forward: 1e-6,
            backward: 2e-6,
        }
        .run();
    }
}

#[test]
fn joins() {
    let widths = [3, 1, 6];
    Check {
        name: "concat".into(),
        operands: widths.iter().enumerate().map(|(i, &width)| normal(i as u64, &[2, 3, 2, width])).collect(),
        differentiable: 3,
        operation: &|tape, operands| Cpu::concat(tape, operands),
        reference: &|operands| {
            (0..12)
                .flat_map(|row| {
                    operands.iter().zip(widths).flat_map(move |(part, width)| part[row * width..][..width].to_vec())
                })
                .collect()
        },
        forward: 0.0,
        backward: 1e-6,
    }
    .run();
}

#[test]
fn operands_that_do_not_fit_are_errors() {
    let device = Cpu::default();
    let all = tensors(&device, &[normal(1, &[2, 3]), normal(2, &[3, 2]), normal(3, &[5])], &[]);
    for kernels in super::check::BOTH {
        let tape = &mut Tape::off(kernels);
        assert!(Cpu::add(tape, &all[0], &all[1], None).is_err());
        assert!(Cpu::add_bias(tape, &all[0], &all[2]).is_err());
        assert!(Cpu::matmul(tape, &all[0], &all[0]).is_err());
        assert!(Cpu::concat(tape, &all).is_err());
        assert!(Cpu::concat(tape, &[]).is_err());
        assert!(Cpu::scale(tape, &all[0], &all[2], Broadcast::Sample).is_err());
        assert!(Cpu::cross_entropy(tape, &all[0], &all[1]).is_err());
    }
}
