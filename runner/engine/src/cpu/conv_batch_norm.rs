//! Convolution, batch normalization by given statistics, a residual and an activation in one pass.

use super::super::slide::Convolution;
use super::super::{Activation, Cpu, EngineError, Normalization, Result, Tensor, Window};
use super::batch_norm::{Affine, scaled};
use super::curve::{Curve, with_curve};
use super::depthwise;
use super::plane::Plane;
use super::sweep::Finish;
use super::weight::Weight;
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
            run(&conv, x.values(), weight, y, &finish);
        });
    })
}

fn run(conv: &Convolution, x: &[f32], weight: &Tensor<Cpu>, y: &mut [f32], finish: &Finish) {
    if conv.is_depthwise() {
        depthwise::forward(&conv.slide, x, weight.values(), y, Some(finish));
    } else {
        Plane::new(conv).forward(x, Weight::constant(weight), y, Some(finish));
    }
}

/// Finishes the sums `y` of some channels of one pixel, or of several pixels.
fn finish<C: Curve>(affine: &Affine, channels: Range<usize>, residual: Option<&[f32]>, y: &mut [f32]) {
    let count = channels.len();
    let (mean, factor) = (&affine.mean[channels.clone()], &affine.factor[channels.clone()]);
    let shift = &affine.shift[channels];
    match residual {
        Some(residual) => wide!({
            for (y, residual) in y.chunks_exact_mut(count).zip(residual.chunks_exact(count)) {
                normalize_and_add::<C>(y, mean, factor, shift, residual);
            }
        }),
        None => wide!({
            for y in y.chunks_exact_mut(count) {
                normalize::<C>(y, mean, factor, shift);
            }
        }),
    }
}

// What is an argument of a function of its own is known not to overlap, so that loops are vectorised.

#[inline(always)]
fn normalize<C: Curve>(y: &mut [f32], mean: &[f32], factor: &[f32], shift: &[f32]) {
    let count = y.len();
    let (mean, factor, shift) = (&mean[..count], &factor[..count], &shift[..count]);
    for c in 0..count {
        y[c] = C::value(scaled(y[c] - mean[c], factor[c], shift[c]));
    }
}

#[inline(always)]
fn normalize_and_add<C: Curve>(y: &mut [f32], mean: &[f32], factor: &[f32], shift: &[f32], residual: &[f32]) {
    let count = y.len();
    let (mean, factor, shift, residual) = (&mean[..count], &factor[..count], &shift[..count], &residual[..count]);
    for c in 0..count {
        y[c] = C::value(scaled(y[c] - mean[c], factor[c], shift[c]) + residual[c]);
    }
}
