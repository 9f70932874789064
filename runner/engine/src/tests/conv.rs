//! Convolution.

use super::check::{Check, normal, tensors};
use crate::{Cpu, KernelSet, Kernels, Padding, Tape, Tensor, Window};

/// What is convolved with what.
struct Shape {
    batch: usize,
    size: [usize; 2],
    inputs: usize,
    outputs: usize,
    groups: usize,
    window: Window,
}

fn window(kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2], padding: [usize; 4]) -> Window {
    let [top, left, bottom, right] = padding;
    Window { kernel, stride, dilation, padding: Padding { top, left, bottom, right } }
}

fn check(shape: &Shape) {
    let Shape { batch, size, inputs, outputs, groups, window } = *shape;
    let weight = [window.kernel[0], window.kernel[1], inputs / groups, outputs];
    Check {
        name: format!("{batch}x{size:?}x{inputs} to {outputs} by {groups} groups, {window:?}"),
        operands: vec![normal(1, &[batch, size[0], size[1], inputs]), normal(2, &weight)],
        differentiable: 2,
        operation: &|tape, operands| Cpu::conv2d(tape, &operands[0], &operands[1], &window, groups),
        reference: &|operands| reference(shape, &operands[0], &operands[1]),
        forward: 2e-6,
        backward: 5e-6,
    }
    .run();
}

/// The definition, tap by tap.
fn reference(shape: &Shape, x: &[f64], weight: &[f64]) -> Vec<f64> {
    let Shape { batch, size, inputs, outputs, groups, window } = *shape;
    let [height, width] = window.output(size).unwrap();
    let (group_inputs, group_outputs) = (inputs / groups, outputs / groups);
    let mut y = vec![0.0; batch * height * width * outputs];
    for image in 0..batch {
        for row in 0..height {
            for column in 0..width {
                for tap_row in 0..window.kernel[0] {
                    for tap in 0..window.kernel[1] {
                        let from_y =
                            (row * window.stride[0] + tap_row * window.dilation[0]).wrapping_sub(window.padding.top);
                        let from_x =
                            (column * window.stride[1] + tap * window.dilation[1]).wrapping_sub(window.padding.left);
                        if from_y >= size[0] || from_x >= size[1] {
                            continue;
                        }
                        for output in 0..outputs {
                            let group = output / group_outputs;
                            for input in 0..group_inputs {
                                let x = x[((image * size[0] + from_y) * size[1] + from_x) * inputs
                                    + group * group_inputs
                                    + input];
                                let at = ((tap_row * window.kernel[1] + tap) * group_inputs + input) * outputs + output;
                                y[((image * height + row) * width + column) * outputs + output] += x * weight[at];
                            }
                        }
                    }
                }
            }
        }
    }
    y
}

fn shape(batch: usize, size: [usize; 2], [inputs, outputs, groups]: [usize; 3], window: Window) -> Shape {
    Shape { batch, size, inputs, outputs, groups, window }
}

#[test]
fn pointwise() {
    let one = window([1, 1], [1, 1], [1, 1], [0; 4]);
    check(&shape(2, [5, 3], [7, 9, 1], one));
    check(&shape(1, [1, 1], [3, 5, 1], one));
    check(&shape(3, [20, 19], [16, 24, 1], one));
    check(&shape(2, [6, 7], [5, 8, 1], window([1, 1], [2, 2], [1, 1], [0; 4])));
}

#[test]
fn square_windows() {
    let same = window([3, 3], [1, 1], [1, 1], [1; 4]);
    check(&shape(2, [7, 6], [5, 8, 1], same));
    check(&shape(1, [1, 1], [4, 3, 1], same));
    check(&shape(3, [23, 21], [3, 19, 1], same));
    check(&shape(2, [9, 11], [64, 17, 1], same));
    check(&shape(2, [8, 7], [6, 10, 1], window([3, 3], [2, 2], [1, 1], [1; 4])));
    check(&shape(2, [15, 13], [3, 8, 1], window([7, 7], [2, 2], [1, 1], [3; 4])));
}

#[test]
fn odd_windows() {
    check(&shape(2, [6, 9], [4, 5, 1], window([1, 7], [1, 1], [1, 1], [0, 3, 0, 3])));
    check(&shape(2, [9, 6], [4, 5, 1], window([7, 1], [1, 1], [1, 1], [3, 0, 3, 0])));
    check(&shape(1, [7, 8], [3, 4, 1], window([2, 3], [2, 1], [1, 2], [0, 1, 1, 2])));
    // The extra pixel of TensorFlow's 'SAME' at the bottom and right.
    check(&shape(2, [8, 8], [3, 6, 1], window([3, 3], [2, 2], [1, 1], [0, 0, 1, 1])));
    check(&shape(1, [5, 5], [2, 3, 1], window([3, 3], [1, 1], [2, 2], [2; 4])));
    // Rows and columns at the end that no window reaches.
    check(&shape(1, [8, 8], [2, 3, 1], window([3, 3], [3, 3], [1, 1], [0; 4])));
}

#[test]
fn groups() {
    check(&shape(2, [6, 5], [8, 12, 4], window([3, 3], [1, 1], [1, 1], [1; 4])));
    check(&shape(2, [6, 5], [6, 9, 3], window([1, 1], [1, 1], [1, 1], [0; 4])));
    check(&shape(2, [7, 7], [6, 4, 2], window([3, 2], [2, 1], [1, 2], [1, 0, 0, 1])));
    // Two outputs a channel.
    check(&shape(1, [5, 4], [3, 6, 3], window([3, 3], [1, 1], [1, 1], [1; 4])));
}

#[test]
fn depthwise() {
    let by = |channels: usize| [channels, channels, channels];
    check(&shape(2, [7, 6], by(19), window([3, 3], [1, 1], [1, 1], [1; 4])));
    check(&shape(2, [9, 8], by(33), window([5, 5], [2, 2], [1, 1], [1, 1, 2, 2])));
    check(&shape(1, [6, 7], by(5), window([3, 1], [1, 2], [2, 1], [2, 0, 1, 0])));
    check(&shape(3, [1, 1], by(16), window([5, 5], [1, 1], [1, 1], [2; 4])));
    check(&shape(4, [12, 11], by(8), window([3, 3], [2, 2], [1, 1], [0, 0, 1, 1])));
}

/// Short rows have a loop for each length.
#[test]
fn depthwise_over_short_rows() {
    for (width, taps, channels) in (2..=8).flat_map(|width| [(width, 3, 24), (width, 5, 19)]) {
        let window = window([taps, taps], [1, 1], [1, 1], [taps / 2; 4]);
        check(&shape(2, [3, width], [channels; 3], window));
    }
    // Other heights of the window, rows that move by two, windows that are not centred.
    check(&shape(2, [5, 6], [8; 3], window([1, 5], [2, 1], [1, 1], [0, 2, 0, 2])));
    check(&shape(2, [5, 6], [8; 3], window([3, 3], [1, 1], [1, 1], [1, 0, 1, 2])));
}

/// Kernels keep a layout of weights that do not train.
#[test]
fn weights_that_change_are_laid_out_anew() {
    let device = Cpu::default();
    let operands = tensors(&device, &[normal(3, &[2, 4, 4, 12]), normal(4, &[3, 3, 6, 10])], &[]);
    let [image, mut weight] = <[Tensor<Cpu>; 2]>::try_from(operands).unwrap();
    let window = window([3, 3], [1, 1], [1, 1], [1, 1, 1, 1]);
    let convolved = |weight: &Tensor<Cpu>| {
        let mut tape = Tape::off(KernelSet::Fast);
        Cpu::conv2d(&mut tape, &image, weight, &window, 2).unwrap().to_vec()
    };
    let anew = |weight: &Tensor<Cpu>| convolved(&Tensor::from_vec(&device, weight.to_vec(), weight.dims()).unwrap());
    let (first, clone) = (convolved(&weight), weight.clone());
    assert_eq!(first, convolved(&weight));
    weight.values_mut().iter_mut().for_each(|value| *value *= 2.0);
    let second = convolved(&weight);
    assert_ne!(first, second);
    assert_eq!(second, anew(&weight));
    // Its clones are what they were.
    assert_eq!(convolved(&clone), first);
    assert_eq!(convolved(&clone.reshape(&[1, 9, 6, 10]).unwrap().reshape(&[3, 3, 6, 10]).unwrap()), first);
}
