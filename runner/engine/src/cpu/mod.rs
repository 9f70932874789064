//! The fast kernels of the CPU.
//!
//! Every operation runs forward at once and, where the tape records it, leaves one step that runs
//! backward. That step moves the gradient of its output out of its place, so that its memory is
//! reused at once, and adds to the gradients of those operands alone that want one (see `buffer`).
//!
//! Work is split over rayon's pool in ways that depend on the sizes alone (see `split`):
//! the results are the same to the last bit on any number of threads. They are not on all sets of vector
//! instructions: some round a product before it is added (see `simd`).

// A loop is compiled for wide vectors only where it is inlined into `wide`.
#![allow(clippy::inline_always)]

mod activation;
mod batch_norm;
mod buffer;
mod concat;
mod conv;
mod conv_batch_norm;
mod conv_forward;
mod conv_transpose;
mod cross_entropy;
mod curve;
mod depthwise;
mod depthwise_weights;
mod focal;
pub(crate) mod foreign;
mod input_gradient;
mod linear;
mod max_pool;
mod mean_pool;
mod packed;
mod penalty;
mod plane;
mod scale;
mod scratch;
mod short_rows;
mod simd;
mod split;
mod squared_error;
mod sweep;
mod update;
mod upsample;
mod weight;
mod weight_gradient;
mod wide;
mod winograd;

use super::tensor::Flat;
use super::{
    Activation, AdamWStep, BatchStatistics, Broadcast, Cpu, EngineError, Foreign, Gradients, Interpolation, KernelSet,
    Kernels, Later, Normalization, Pull, Result, SgdStep, Tape, Tensor, Window, assembled,
};
use dfdx::prelude::TensorFromVec;
use std::sync::Arc;

pub use simd::instructions;

/// Runs the fast kernel of this name, or the assembled one if the tape asks for it.
macro_rules! choose {
    ($module:ident::$name:ident($tape:expr $(, $argument:expr)*)) => {
        match $tape.kernels() {
            KernelSet::Fast => $module::$name($tape $(, $argument)*),
            KernelSet::Assembled => assembled::$name($tape $(, $argument)*),
        }
    };
}

impl Kernels for Cpu {
    type Buffer = Vec<f32>;
    /// What would travel is there already.
    type Room = ();

    fn describe(&self) -> String {
        let threads = rayon::current_num_threads();
        format!("CPU, {threads} thread{}, {}", if threads == 1 { "" } else { "s" }, instructions())
    }

    fn rounding(&self) -> String {
        format!("CPU, {}, {:?}", instructions(), super::Winograd::chosen())
    }

    fn settled(device: &Self, buffer: &Vec<f32>, _: usize) -> Result<Flat<Self>> {
        let count = buffer.len();
        device.try_tensor_from_vec(buffer.clone(), (count,)).map_err(EngineError::device("copy"))
    }

    fn read(tensor: &Tensor<Self>, to: &mut [f32]) -> Result<()> {
        tensor.flat().copy_into(to);
        Ok(())
    }

    fn room(_: &Self, _: usize) -> Result<()> {
        Ok(())
    }

    fn send(device: &Self, (): (), values: &[f32], dims: &[usize]) -> Result<Later<Tensor<Self>>> {
        Ok(Later::known(Tensor::from_slice(device, values, dims)?))
    }

    fn one(_: &Self) -> Result<Vec<f32>> {
        Ok(vec![1.0])
    }

    fn conv2d(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        weight: &Tensor<Self>,
        window: &Window,
        groups: usize,
    ) -> Result<Tensor<Self>> {
        choose!(conv::conv2d(tape, x, weight, window, groups))
    }

    fn conv2d_batch_norm(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        weight: &Tensor<Self>,
        window: &Window,
        groups: usize,
        norm: &Normalization<Self>,
        residual: Option<&Tensor<Self>>,
        activation: Option<Activation>,
    ) -> Result<Tensor<Self>> {
        let operands = [Some(x), Some(weight), Some(norm.scale), Some(norm.shift), residual];
        let recorded = operands.into_iter().flatten().any(|operand| tape.records(&[operand]));
        if recorded || tape.kernels() == KernelSet::Assembled {
            return assembled::conv2d_batch_norm(tape, x, weight, window, groups, norm, residual, activation);
        }
        conv_batch_norm::conv2d_batch_norm(x, weight, window, groups, norm, residual, activation)
    }

    fn matmul(tape: &mut Tape<Self>, x: &Tensor<Self>, weight: &Tensor<Self>) -> Result<Tensor<Self>> {
        choose!(linear::matmul(tape, x, weight))
    }

    fn add_bias(tape: &mut Tape<Self>, x: &Tensor<Self>, bias: &Tensor<Self>) -> Result<Tensor<Self>> {
        choose!(linear::add_bias(tape, x, bias))
    }

    fn batch_norm_inference(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        scale: &Tensor<Self>,
        shift: &Tensor<Self>,
        mean: &Tensor<Self>,
        variance: &Tensor<Self>,
        eps: f32,
        activation: Option<Activation>,
    ) -> Result<Tensor<Self>> {
        choose!(batch_norm::batch_norm_inference(tape, x, scale, shift, mean, variance, eps, activation))
    }

    fn batch_norm_training(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        scale: &Tensor<Self>,
        shift: &Tensor<Self>,
        eps: f32,
        activation: Option<Activation>,
    ) -> Result<(Tensor<Self>, BatchStatistics<Self>)> {
        choose!(batch_norm::batch_norm_training(tape, x, scale, shift, eps, activation))
    }

    fn activate(tape: &mut Tape<Self>, x: &Tensor<Self>, activation: Activation) -> Result<Tensor<Self>> {
        choose!(activation::activate(tape, x, activation))
    }

    fn add(
        tape: &mut Tape<Self>,
        a: &Tensor<Self>,
        b: &Tensor<Self>,
        activation: Option<Activation>,
    ) -> Result<Tensor<Self>> {
        choose!(activation::add(tape, a, b, activation))
    }

    fn scale(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        factor: &Tensor<Self>,
        broadcast: Broadcast,
    ) -> Result<Tensor<Self>> {
        choose!(scale::scale(tape, x, factor, broadcast))
    }

    fn concat(tape: &mut Tape<Self>, parts: &[Tensor<Self>]) -> Result<Tensor<Self>> {
        choose!(concat::concat(tape, parts))
    }

    fn max_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, window: &Window) -> Result<Tensor<Self>> {
        choose!(max_pool::max_pool(tape, x, window))
    }

    fn avg_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, window: &Window, count_padding: bool) -> Result<Tensor<Self>> {
        choose!(mean_pool::avg_pool(tape, x, window, count_padding))
    }

    fn adaptive_avg_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, output: [usize; 2]) -> Result<Tensor<Self>> {
        choose!(mean_pool::adaptive_avg_pool(tape, x, output))
    }

    fn cross_entropy(tape: &mut Tape<Self>, logits: &Tensor<Self>, targets: &Tensor<Self>) -> Result<Tensor<Self>> {
        choose!(cross_entropy::cross_entropy(tape, logits, targets))
    }

    fn focal_loss(
        tape: &mut Tape<Self>,
        logits: &Tensor<Self>,
        targets: &Tensor<Self>,
        gamma: f64,
    ) -> Result<Tensor<Self>> {
        choose!(focal::focal_loss(tape, logits, targets, gamma))
    }

    fn conv_transpose2d(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        weight: &Tensor<Self>,
        window: &Window,
        size: [usize; 2],
    ) -> Result<Tensor<Self>> {
        choose!(conv_transpose::conv_transpose2d(tape, x, weight, window, size))
    }

    fn upsample(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        factor: [usize; 2],
        interpolation: Interpolation,
    ) -> Result<Tensor<Self>> {
        choose!(upsample::upsample(tape, x, factor, interpolation))
    }

    fn mean_squared_error(tape: &mut Tape<Self>, x: &Tensor<Self>, target: &Tensor<Self>) -> Result<Tensor<Self>> {
        choose!(squared_error::mean_squared_error(tape, x, target))
    }

    fn foreign(
        tape: &mut Tape<Self>,
        operation: Arc<dyn Foreign>,
        inputs: &[Tensor<Self>],
        params: &[Tensor<Self>],
        output: &[usize],
    ) -> Result<Tensor<Self>> {
        foreign::foreign(tape, operation, inputs, params, output)
    }

    fn sgd_step(
        step: &SgdStep,
        param: &mut Tensor<Self>,
        velocity: &mut Tensor<Self>,
        gradients: &mut Gradients<Self>,
    ) -> Result<()> {
        update::sgd_step(step, param, velocity, gradients)
    }

    fn adamw_step(
        step: &AdamWStep,
        number: i32,
        param: &mut Tensor<Self>,
        first: &mut Tensor<Self>,
        second: &mut Tensor<Self>,
        gradients: &mut Gradients<Self>,
    ) -> Result<()> {
        update::adamw_step(step, number, param, first, second, gradients)
    }

    fn gradient_norm_squared(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>) -> Result<f64> {
        update::gradient_norm_squared(gradients, tensor)
    }

    fn scale_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, factor: f32) -> Result<()> {
        update::scale_gradient(gradients, tensor, factor)
    }

    fn clip_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, limit: f32) -> Result<()> {
        update::clip_gradient(gradients, tensor, limit)
    }

    fn pull(pull: &Pull<'_, Self>, gradients: &mut Gradients<Self>, tensor: &Tensor<Self>) -> Result<()> {
        penalty::pull(pull, gradients, tensor)
    }

    fn add_to_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, values: &Tensor<Self>) -> Result<()> {
        penalty::add_to_gradient(gradients, tensor, values)
    }

    fn limit_norms(tensor: &mut Tensor<Self>, bound: f64) -> Result<()> {
        penalty::limit_norms(tensor, bound);
        Ok(())
    }

    fn approach(average: &mut Tensor<Self>, tensor: &Tensor<Self>, share: f64) -> Result<()> {
        penalty::approach(average, tensor, share);
        Ok(())
    }

    fn all_finite(tensor: &Tensor<Self>) -> Result<bool> {
        Ok(update::all_finite(tensor))
    }
}
