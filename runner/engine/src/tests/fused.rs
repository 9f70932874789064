//! Operations in one pass against the same ones apart.

use super::check::{BOTH, normal, tensors};
use crate::{Activation, Cpu, Kernels, Normalization, Padding, Result, Tape, Tensor, Window};

/// Operands: the image, the weights, scale, shift, mean, variance, the residual.
fn apart(
    tape: &mut Tape<Cpu>,
    o: &[Tensor<Cpu>],
    window: &Window,
    groups: usize,
    residual: bool,
    activation: Option<Activation>,
) -> Result<Tensor<Cpu>> {
    let y = Cpu::conv2d(tape, &o[0], &o[1], window, groups)?;
    let y = Cpu::batch_norm_inference(tape, &y, &o[2], &o[3], &o[4], &o[5], 1e-3, None)?;
    match (residual, activation) {
        (true, activation) => Cpu::add(tape, &y, &o[6], activation),
        (false, Some(activation)) => Cpu::activate(tape, &y, activation),
        (false, None) => Ok(y),
    }
}

fn together(
    tape: &mut Tape<Cpu>,
    o: &[Tensor<Cpu>],
    window: &Window,
    groups: usize,
    residual: bool,
    activation: Option<Activation>,
) -> Result<Tensor<Cpu>> {
    let norm = Normalization { scale: &o[2], shift: &o[3], mean: &o[4], variance: &o[5], eps: 1e-3 };
    let residual = residual.then_some(&o[6]);
    Cpu::conv2d_batch_norm(tape, &o[0], &o[1], window, groups, &norm, residual, activation)
}

#[test]
fn convolution_with_batch_norm_is_equal_to_the_last_bit() {
    let device = Cpu::default();
    let bits = |tensor: &Tensor<Cpu>| tensor.to_vec().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    // The last ones are depthwise, by Winograd, in groups, a stem, and one of several blocks of columns.
    for (size, kernel, stride, inputs, outputs, groups) in [
        ([7, 6], 1, 1, 9, 20, 1),
        ([9, 8], 3, 2, 20, 33, 1),
        ([9, 8], 3, 1, 19, 19, 19),
        ([12, 9], 3, 1, 24, 40, 1),
        ([9, 11], 3, 1, 40, 36, 2),
        ([15, 17], 7, 2, 3, 24, 1),
        ([5, 5], 3, 1, 130, 300, 1),
    ] {
        let padding = Padding::symmetric(kernel / 2, kernel / 2);
        let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1, 1], padding };
        let [height, width] = window.output(size).unwrap();
        let variance = normal(6, &[outputs]).1.into_iter().map(|value| value * value + 0.1).collect();
        let operands = [
            normal(1, &[3, size[0], size[1], inputs]),
            normal(2, &[kernel, kernel, inputs / groups, outputs]),
            normal(3, &[outputs]),
            normal(4, &[outputs]),
            normal(5, &[outputs]),
            (vec![outputs], variance),
            normal(7, &[3, height, width, outputs]),
        ];
        for kernels in BOTH {
            for residual in [false, true] {
                for activation in [None, Some(Activation::Relu), Some(Activation::Silu)] {
                    let plain = tensors(&device, &operands, &[]);
                    let what = format!("{window:?} {inputs} to {outputs}, {residual}, {activation:?}, {kernels:?}");
                    let apart = apart(&mut Tape::off(kernels), &plain, &window, groups, residual, activation).unwrap();
                    let recording = &mut Tape::recording(kernels);
                    let fused = together(recording, &plain, &window, groups, residual, activation).unwrap();
                    assert_eq!(bits(&fused), bits(&apart), "{what}");
                    assert!(!fused.wants_grad());
                    let wanting = tensors(&device, &operands, &[1]);
                    let fused = together(recording, &wanting, &window, groups, residual, activation).unwrap();
                    assert_eq!(bits(&fused), bits(&apart), "{what}, recorded");
                    assert!(fused.wants_grad());
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let device = Cpu::default();
    let window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], padding: Padding::default() };
    let operands = |outputs: usize, height: usize| {
        let vectors = (0..4).map(|_| (vec![outputs], vec![1.0; outputs]));
        let mut all = vec![normal(1, &[1, 2, 2, 3]), normal(2, &[1, 1, 3, 4])];
        all.extend(vectors);
        all.push(normal(3, &[1, height, 2, 4]));
        tensors(&device, &all, &[])
    };
    let run = |outputs, height| together(&mut Tape::off(BOTH[0]), &operands(outputs, height), &window, 1, true, None);
    assert!(run(4, 2).is_ok());
    assert!(run(5, 2).is_err());
    assert!(run(4, 1).is_err());
}
