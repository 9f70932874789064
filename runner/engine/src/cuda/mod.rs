//! The kernels of NVIDIA GPUs.
//!
//! As on the CPU, every operation runs forward at once and, where the tape records it, leaves one step that runs backward,
//! moves the gradient of its output out of its place, and adds to the gradients of those operands alone that want one
//! (see `buffer`). Products of matrices are cuBLAS's; all else is in `kernels`, which nvcc compiles when the program is
//! built, so that nothing is compiled or looked for when it runs.
//!
//! Sums are taken in an order that depends on sizes alone: a run that is resumed on a card gives the numbers of one that
//! was not interrupted there.

mod activation;
mod ahead;
mod batch_norm;
mod buffer;
mod concat;
mod conv;
mod depthwise;
mod foreign;
mod geometry;
mod gpu;
mod implicit;
mod lanes;
mod linear;
mod loss;
mod names;
mod pool;
mod product;
mod scale;
mod staging;
mod update;
mod upsample;

use super::tensor::Flat;
use super::{
    Activation, AdamWStep, BatchStatistics, Broadcast, Cuda, Foreign, Gradients, Interpolation, KernelSet, Kernels,
    Later, Normalization, Precision, Pull, Result, SgdStep, Tape, Tensor, Window, assembled,
};
use buffer::{held, named, written};
use std::sync::Arc;

pub use gpu::open;

/// Runs the fast kernel, or the assembled one of this name if the tape asks for it.
macro_rules! choose {
    ($module:ident::$name:ident($tape:expr $(, $argument:expr)*)) => {
        match $tape.kernels() {
            KernelSet::Fast => $module::$name($tape $(, $argument)*),
            KernelSet::Assembled => assembled::$name($tape $(, $argument)*),
        }
    };
}

impl Kernels for Cuda {
    type Buffer = gpu::Values;
    type Room = ahead::Room;

    fn describe(&self) -> String {
        gpu::gpu().map_or_else(|_| "NVIDIA GPU".to_owned(), |gpu| gpu.name().to_owned())
    }

    fn rounding(&self) -> String {
        format!("{}, {:?}", self.describe(), Precision::chosen())
    }

    fn settled(device: &Self, buffer: &gpu::Values, len: usize) -> Result<Flat<Self>> {
        named("copy", buffer::settled(device, buffer, len))
    }

    fn read(tensor: &Tensor<Self>, to: &mut [f32]) -> Result<()> {
        named("read", tensor.place().and_then(|place| gpu::gpu()?.read_into(place, to)))
    }

    fn upload(device: &Self, values: &[f32], dims: &[usize]) -> Result<Tensor<Self>> {
        written("upload", device, dims, |gpu, to| gpu.upload(to, values))
    }

    fn room(_: &Self, len: usize) -> Result<ahead::Room> {
        named("room", ahead::Room::of(len))
    }

    fn send(device: &Self, room: ahead::Room, values: &[f32], dims: &[usize]) -> Result<Later<Tensor<Self>>> {
        let (travelling, device, dims) = (named("send", room.send(values))?, device.clone(), dims.to_vec());
        Ok(Later::new(move || named("send", travelling.arrive().and_then(|values| held(&device, values, &dims)))))
    }

    fn one(_: &Self) -> Result<gpu::Values> {
        named("backward", gpu::gpu().and_then(|gpu| gpu.copied(vec![1.0])))
    }

    fn take_peak(&self) -> Option<u64> {
        gpu::gpu().ok()?.peak()
    }

    fn give_back(&self) -> Result<()> {
        named("memory", gpu::gpu().and_then(gpu::Gpu::give_back))
    }

    fn own_memory(&self) -> Option<[u64; 2]> {
        let [free, all] = gpu::gpu().ok()?.memory().ok()?;
        Some([all as u64, free as u64])
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
        conv::conv2d_batch_norm(x, weight, window, groups, norm, residual, activation)
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
        if tape.kernels() == KernelSet::Assembled {
            return assembled::batch_norm_inference(tape, x, scale, shift, mean, variance, eps, activation);
        }
        let norm = Normalization { scale, shift, mean, variance, eps };
        batch_norm::batch_norm_inference(tape, x, &norm, activation)
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
        choose!(pool::max_pool(tape, x, window))
    }

    fn avg_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, window: &Window, count_padding: bool) -> Result<Tensor<Self>> {
        choose!(pool::avg_pool(tape, x, window, count_padding))
    }

    fn adaptive_avg_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, output: [usize; 2]) -> Result<Tensor<Self>> {
        choose!(pool::adaptive_avg_pool(tape, x, output))
    }

    fn cross_entropy(tape: &mut Tape<Self>, logits: &Tensor<Self>, targets: &Tensor<Self>) -> Result<Tensor<Self>> {
        match tape.kernels() {
            KernelSet::Fast => loss::of_classes(tape, logits, targets, None),
            KernelSet::Assembled => assembled::cross_entropy(tape, logits, targets),
        }
    }

    fn focal_loss(
        tape: &mut Tape<Self>,
        logits: &Tensor<Self>,
        targets: &Tensor<Self>,
        gamma: f64,
    ) -> Result<Tensor<Self>> {
        match tape.kernels() {
            KernelSet::Fast => loss::of_classes(tape, logits, targets, Some(gamma)),
            KernelSet::Assembled => assembled::focal_loss(tape, logits, targets, gamma),
        }
    }

    fn conv_transpose2d(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        weight: &Tensor<Self>,
        window: &Window,
        size: [usize; 2],
    ) -> Result<Tensor<Self>> {
        choose!(conv::conv_transpose2d(tape, x, weight, window, size))
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
        choose!(loss::mean_squared_error(tape, x, target))
    }

    fn foreign(
        tape: &mut Tape<Self>,
        operation: Arc<dyn Foreign>,
        inputs: &[Tensor<Self>],
        params: &[Tensor<Self>],
        output: &[usize],
    ) -> Result<Tensor<Self>> {
        match tape.kernels() {
            KernelSet::Fast => foreign::foreign(tape, operation, inputs, params, output),
            KernelSet::Assembled => {
                super::foreign::through_host::<_, super::foreign::Stored<Self>>(tape, operation, inputs, params, output)
            }
        }
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

    fn blend(a: &Tensor<Self>, of_a: f32, b: &Tensor<Self>, of_b: f32) -> Result<Tensor<Self>> {
        scale::blend(a, of_a, b, of_b)
    }

    fn gradient_norms_squared(gradients: &mut Gradients<Self>, tensors: &[&Tensor<Self>]) -> Result<Vec<f64>> {
        update::gradient_norms_squared(gradients, tensors)?.get()
    }

    fn gradient_norms_squared_later(
        gradients: &mut Gradients<Self>,
        tensors: &[&Tensor<Self>],
    ) -> Result<Later<Vec<f64>>> {
        update::gradient_norms_squared(gradients, tensors)
    }

    fn gradient_norm_squared(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>) -> Result<f64> {
        Ok(update::gradient_norms_squared(gradients, &[tensor])?.get()?.into_iter().sum())
    }

    fn scale_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, factor: f32) -> Result<()> {
        update::scale_gradient(gradients, tensor, factor)
    }

    fn clip_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, limit: f32) -> Result<()> {
        update::clip_gradient(gradients, tensor, limit)
    }

    fn pull(pull: &Pull<'_, Self>, gradients: &mut Gradients<Self>, tensor: &Tensor<Self>) -> Result<()> {
        update::pull(pull, gradients, tensor)
    }

    fn add_to_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, values: &Tensor<Self>) -> Result<()> {
        update::add_to_gradient(gradients, tensor, values)
    }

    fn limit_norms(tensor: &mut Tensor<Self>, bound: f64) -> Result<()> {
        update::limit_norms(tensor, bound)
    }

    fn approach(average: &mut Tensor<Self>, tensor: &Tensor<Self>, share: f64) -> Result<()> {
        update::approach(average, tensor, share)
    }

    fn all_finite(tensor: &Tensor<Self>) -> Result<bool> {
        update::all_finite(tensor)
    }
}
