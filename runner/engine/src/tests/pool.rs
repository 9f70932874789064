//! Pooling.

use super::check::{BOTH, Check, normal, run, tensors};
use crate::{Cpu, Kernels, Padding, Tape, Window};

fn window(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 4]) -> Window {
    let [top, left, bottom, right] = padding;
    Window { kernel, stride, dilation: [1, 1], padding: Padding { top, left, bottom, right } }
}

/// For each output, the inputs in its window.
fn windows(dims: &[usize; 4], window: &Window) -> Vec<Vec<usize>> {
    let &[batch, height, width, channels] = dims;
    let [rows, columns] = window.output([height, width]).unwrap();
    let mut all = Vec::new();
    for image in 0..batch {
        for at in 0..rows * columns {
            for channel in 0..channels {
                let mut inputs = Vec::new();
                for tap in 0..window.kernel[0] * window.kernel[1] {
                    let y = (at / columns * window.stride[0] + tap / window.kernel[1] * window.dilation[0])
                        .wrapping_sub(window.padding.top);
                    let x = (at % columns * window.stride[1] + tap % window.kernel[1] * window.dilation[1])
                        .wrapping_sub(window.padding.left);
                    if y < height && x < width {
                        inputs.push(((image * height + y) * width + x) * channels + channel);
                    }
                }
                all.push(inputs);
            }
        }
    }
    all
}

fn shapes() -> Vec<([usize; 4], Window)> {
    let mut dilated = window([2, 2], [1, 1], [0; 4]);
    dilated.dilation = [2, 3];
    vec![
        ([2, 7, 6, 5], window([2, 2], [2, 2], [0; 4])),
        ([2, 8, 9, 3], window([3, 3], [2, 2], [1; 4])),
        ([1, 5, 5, 17], window([3, 3], [1, 1], [1; 4])),
        ([3, 1, 1, 4], window([1, 1], [1, 1], [0; 4])),
        ([2, 6, 5, 2], window([1, 3], [1, 2], [0, 0, 0, 1])),
        ([1, 7, 7, 3], dilated),
    ]
}

#[test]
fn maxima() {
    for (dims, window) in shapes() {
        let inputs = windows(&dims, &window);
        Check {
            name: format!("max pool of {dims:?}, {window:?}"),
            operands: vec![normal(1, &dims)],
            differentiable: 1,
            operation: &|tape, operands| Cpu::max_pool(tape, &operands[0], &window),
            reference: &|operands| {
                let largest = |of: &Vec<usize>| of.iter().map(|&i| operands[0][i]).fold(f64::NEG_INFINITY, f64::max);
                inputs.iter().map(largest).collect()
            },
            forward: 0.0,
            backward: 1e-6,
        }
        .run();
    }
}

#[test]
fn padding_never_wins_and_the_first_of_equals_gets_the_gradient() {
    let device = Cpu::default();
    let window = window([3, 3], [3, 3], [1; 4]);
    for kernels in BOTH {
        let x = tensors(&device, &[(vec![1, 2, 2, 1], vec![-5.0; 4])], &[0]);
        let (y, gradients) = run(kernels, &|tape, x| Cpu::max_pool(tape, &x[0], &window), &x, &[1.0]);
        assert_eq!(y, [-5.0], "{kernels:?}");
        assert_eq!(gradients[0], [1.0, 0.0, 0.0, 0.0], "{kernels:?}");
    }
}

#[test]
fn averages() {
    for count_padding in [false, true] {
        for (dims, window) in shapes() {
            let inputs = windows(&dims, &window);
            let taps = window.kernel[0] * window.kernel[1];
            Check {
                name: format!("avg pool of {dims:?}, {window:?}, {count_padding}"),
                operands: vec![normal(1, &dims)],
                differentiable: 1,
                operation: &|tape, operands| Cpu::avg_pool(tape, &operands[0], &window, count_padding),
                reference: &|operands| {
                    let mean = |of: &Vec<usize>| {
                        let count = if count_padding { taps } else { of.len() };
                        of.iter().map(|&i| operands[0][i]).sum::<f64>() / count as f64
                    };
                    inputs.iter().map(mean).collect()
                },
                forward: 1e-6,
                backward: 2e-6,
            }
            .run();
        }
    }
}

#[test]
fn cells() {
    for (dims, output) in [
        ([2, 7, 6, 5], [1, 1]),
        ([2, 7, 10, 3], [3, 4]),
        ([1, 2, 3, 4], [6, 6]),
        ([2, 1, 1, 3], [1, 1]),
        ([1, 40, 41, 2], [1, 1]),
    ] {
        let [batch, height, width, channels] = dims;
        Check {
            name: format!("adaptive avg pool of {dims:?} to {output:?}"),
            operands: vec![normal(1, &dims)],
            differentiable: 1,
            operation: &|tape, operands| Cpu::adaptive_avg_pool(tape, &operands[0], output),
            reference: &|operands| {
                let mut y = Vec::new();
                for image in 0..batch {
                    for cell in 0..output[0] * output[1] {
                        let (i, j) = (cell / output[1], cell % output[1]);
                        let rows = i * height / output[0]..((i + 1) * height).div_ceil(output[0]);
                        let columns = j * width / output[1]..((j + 1) * width).div_ceil(output[1]);
                        for channel in 0..channels {
                            let at = |r: usize, c: usize| {
                                operands[0][((image * height + r) * width + c) * channels + channel]
                            };
                            let sum: f64 = rows
                                .clone()
                                .flat_map(|r| columns.clone().map(move |c| (r, c)))
                                .map(|(r, c)| at(r, c))
                                .sum();
                            y.push(sum / (rows.len() * columns.len()) as f64);
                        }
                    }
                }
                y
            },
            forward: 1e-6,
            backward: 2e-6,
        }
        .run();
    }
}

#[test]
fn windows_that_do_not_fit_are_errors() {
    let x = tensors(&Cpu::default(), &[normal(1, &[1, 2, 2, 1])], &[]).remove(0);
    let large = window([3, 3], [1, 1], [0; 4]);
    for kernels in BOTH {
        assert!(Cpu::max_pool(&mut Tape::off(kernels), &x, &large).is_err());
        assert!(Cpu::avg_pool(&mut Tape::off(kernels), &x, &large, true).is_err());
    }
}
