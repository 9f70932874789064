//! What decoders are made of: transposed convolution, larger images, the error of a reconstruction.

use super::check::{Check, normal};
use crate::{Cpu, Interpolation, Kernels, Padding, Window};

fn transposed(batch: usize, size: [usize; 2], [inputs, outputs]: [usize; 2], window: Window, extra: [usize; 2]) {
    let Window { kernel, stride, dilation, padding: Padding { top, left, bottom, right } } = window;
    let margins = [top + bottom, left + right];
    let larger = [0, 1].map(|i| (size[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 + extra[i] - margins[i]);
    // The definition of torch: each value of the input is spread over the output by the kernel.
    let reference = |operands: &[Vec<f64>]| {
        let (x, weight) = (&operands[0], &operands[1]);
        let mut y = vec![0.0; batch * larger[0] * larger[1] * outputs];
        for at in 0..batch * size[0] * size[1] {
            let (image, row, column) = (at / (size[0] * size[1]), at / size[1] % size[0], at % size[1]);
            for tap in 0..kernel[0] * kernel[1] {
                let to_y = (row * stride[0] + tap / kernel[1] * dilation[0]).wrapping_sub(top);
                let to_x = (column * stride[1] + tap % kernel[1] * dilation[1]).wrapping_sub(left);
                if to_y >= larger[0] || to_x >= larger[1] {
                    continue;
                }
                for output in 0..outputs {
                    for input in 0..inputs {
                        y[((image * larger[0] + to_y) * larger[1] + to_x) * outputs + output] +=
                            x[at * inputs + input] * weight[(tap * outputs + output) * inputs + input];
                    }
                }
            }
        }
        y
    };
    Check {
        name: format!("transposed {batch}x{size:?}x{inputs} to {outputs}, {window:?}, {extra:?}"),
        operands: vec![
            normal(1, &[batch, size[0], size[1], inputs]),
            normal(2, &[kernel[0], kernel[1], outputs, inputs]),
        ],
        differentiable: 2,
        operation: &|tape, operands| Cpu::conv_transpose2d(tape, &operands[0], &operands[1], &window, larger),
        reference: &reference,
        forward: 2e-6,
        backward: 5e-6,
    }
    .run();
}

fn window(kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2], padding: Padding) -> Window {
    Window { kernel, stride, dilation, padding }
}

#[test]
fn transposed_convolution() {
    let none = Padding::default();
    transposed(2, [5, 4], [3, 7], window([2, 2], [2, 2], [1, 1], none), [0, 0]);
    transposed(2, [5, 4], [8, 3], window([3, 3], [2, 2], [1, 1], Padding::symmetric(1, 1)), [1, 1]);
    transposed(1, [1, 1], [4, 5], window([4, 4], [2, 2], [1, 1], Padding::symmetric(1, 1)), [0, 0]);
    transposed(3, [6, 7], [5, 2], window([1, 1], [1, 1], [1, 1], none), [0, 0]);
    transposed(
        2,
        [3, 5],
        [2, 3],
        window([3, 2], [3, 1], [1, 2], Padding { top: 1, left: 0, bottom: 0, right: 1 }),
        [2, 0],
    );
    // Gaps between what is spread, and many rows of columns.
    transposed(1, [4, 4], [2, 2], window([2, 2], [3, 3], [1, 1], none), [0, 1]);
    transposed(4, [17, 18], [6, 5], window([3, 3], [2, 2], [1, 1], Padding::symmetric(1, 1)), [1, 0]);
}

#[test]
fn a_shape_that_the_convolution_would_not_give_is_refused() {
    let x = crate::Tensor::from_vec(&Cpu::default(), vec![0.0; 4], &[1, 2, 2, 1]).unwrap();
    let weight = crate::Tensor::from_vec(&Cpu::default(), vec![0.0; 4], &[2, 2, 1, 1]).unwrap();
    let window = window([2, 2], [2, 2], [1, 1], Padding::default());
    for kernels in super::check::BOTH {
        for size in [[3, 4], [6, 4], [1, 1]] {
            let mut tape = crate::Tape::off(kernels);
            assert!(Cpu::conv_transpose2d(&mut tape, &x, &weight, &window, size).is_err(), "{size:?}");
        }
    }
}

/// Torch's formula: places between pixels, negative ones taken for 0.
fn enlarged(x: &[f64], [batch, height, width, channels]: [usize; 4], factor: [usize; 2], bilinear: bool) -> Vec<f64> {
    let mut y = Vec::new();
    for image in 0..batch {
        for row in 0..height * factor[0] {
            for column in 0..width * factor[1] {
                for channel in 0..channels {
                    let at = |y: usize, x_at: usize| {
                        x[((image * height + y.min(height - 1)) * width + x_at.min(width - 1)) * channels + channel]
                    };
                    if !bilinear {
                        y.push(at(row / factor[0], column / factor[1]));
                        continue;
                    }
                    let place = |at: usize, factor: usize| ((at as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
                    let (down, right) = (place(row, factor[0]), place(column, factor[1]));
                    let (top, left) = (down.floor() as usize, right.floor() as usize);
                    let (down, right) = (down.fract(), right.fract());
                    let above = at(top, left) * (1.0 - right) + at(top, left + 1) * right;
                    let below = at(top + 1, left) * (1.0 - right) + at(top + 1, left + 1) * right;
                    y.push(above * (1.0 - down) + below * down);
                }
            }
        }
    }
    y
}

#[test]
fn upsampling() {
    for (dims, factor) in
        [([2, 3, 4, 5], [2, 2]), ([1, 1, 1, 3], [2, 3]), ([2, 5, 2, 1], [1, 4]), ([1, 4, 3, 2], [3, 1])]
    {
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
            Check {
                name: format!("{interpolation:?} {dims:?} by {factor:?}"),
                operands: vec![normal(3, &dims)],
                differentiable: 1,
                operation: &|tape, operands| Cpu::upsample(tape, &operands[0], factor, interpolation),
                reference: &|operands| enlarged(&operands[0], dims, factor, interpolation == Interpolation::Bilinear),
                forward: 1e-6,
                backward: 5e-6,
            }
            .run();
        }
    }
}

#[test]
fn mean_squared_error() {
    for dims in [vec![2, 5, 4, 3], vec![3, 7], vec![40, 30, 30, 1]] {
        Check {
            name: format!("mean squared error {dims:?}"),
            operands: vec![normal(4, &dims), normal(5, &dims)],
            differentiable: 1,
            operation: &|tape, operands| Cpu::mean_squared_error(tape, &operands[0], &operands[1]),
            reference: &|operands| {
                let squares = operands[0].iter().zip(&operands[1]).map(|(x, target)| (x - target).powi(2));
                vec![squares.sum::<f64>() / operands[0].len() as f64]
            },
            forward: 1e-6,
            backward: 5e-6,
        }
        .run();
    }
}

#[test]
fn an_error_of_other_shapes_is_refused() {
    let tensor = |dims: &[usize]| crate::Tensor::zeros(&Cpu::default(), dims).unwrap();
    for kernels in super::check::BOTH {
        let mut tape = crate::Tape::off(kernels);
        assert!(Cpu::mean_squared_error(&mut tape, &tensor(&[2, 3]), &tensor(&[3, 2])).is_err());
        let none = Cpu::mean_squared_error(&mut tape, &tensor(&[2, 3]), &tensor(&[2, 3])).unwrap();
        assert_eq!(none.to_vec(), [0.0]);
    }
}
