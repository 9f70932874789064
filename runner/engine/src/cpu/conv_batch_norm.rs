//! Convolution, batch normalization by given statistics, a residual and an activation in one pass.

use super::super::slide::Convolution;
use super::super::{Activation, Cpu, EngineError, Normalization, Result, Tensor, Window};
use super::batch_norm::Affine;
use super::curve::{Curve, with_curve};
use super::depthwise;
use super::plane::Plane;
use super::sweep::Finish;
use super::wide::wide;
use std::ops::Range;

/// See [`super::super::Kernels::conv2d_batch_norm`]; nothing is recorded.
///
/// What follows the convolution is applied to its sums while they are in the cache, by the same
/// arithmetic as the operations apart: the results are equal to the last bit.
pub fn conv2d_batch_norm(
    x: &Tensor<Cpu>,
    weight: &Tensor<Cpu>,
    window: &Window,
    groups: usize,
    norm: &Normalization<Cpu>,
    residual: Option<&Tensor<Cpu>>,
    activation: Option<Activation>,
) -> Result<Tensor<Cpu>> {
    let conv = Convolution::new(x, weight, window, groups)?;
    let dims = conv.dims();
    let of_channels = [norm.scale, norm.shift, norm.mean, norm.variance];
    if of_channels.iter().any(|tensor| tensor.len() != conv.outputs) || residual.is_some_and(|r| r.dims() != dims) {
        let shapes = of_channels.into_iter().chain(residual).map(|tensor| tensor.dims().to_vec());
        let shapes = std::iter::once(dims.to_vec()).chain(shapes).collect();
        return Err(EngineError::Shapes { operation: "conv2d_batch_norm", shapes });
    }
    let affine = Affine::given(norm);
    let residual = residual.map(Tensor::values);
    Tensor::written(x.device(), &dims, |y| {
        with_curve!(activation, C => {
            let finish = |start: usize, channels: Range<usize>, y: &mut [f32]| {
                let residual = residual.map(|residual| &residual[start..start + y.len()]);
                finish::<C>(&affine, channels, residual, y);
            };
            run(&conv, x.values(), weight.values(), y, &finish);
        });
    })
}

fn run(conv: &Convolution, x: &[f32], weight: &[f32], y: &mut [f32], finish: &Finish) {
    if conv.is_depthwise() {
        depthwise::forward(&conv.slide, x, weight, y, Some(finish));
    } else {
        Plane::new(conv).forward(x, weight, y, Some(finish));
    }
}

/// Finishes the sums `y` of some channels of one pixel.
#[inline]
fn finish<C: Curve>(affine: &Affine, channels: Range<usize>, residual: Option<&[f32]>, y: &mut [f32]) {
    let count = y.len();
    let (mean, factor) = (&affine.mean[channels.clone()][..count], &affine.factor[channels.clone()][..count]);
    let shift = &affine.shift[channels][..count];
    wide!(match residual {
        Some(residual) => {
            let residual = &residual[..count];
            for c in 0..count {
                y[c] = C::value((y[c] - mean[c]) * factor[c] + shift[c] + residual[c]);
            }
        }
        None => {
            for c in 0..count {
                y[c] = C::value((y[c] - mean[c]) * factor[c] + shift[c]);
            }
        }
    });
}
