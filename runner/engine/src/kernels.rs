//! The operations that a device offers.

use super::tensor::Flat;
use super::{
    AdamWStep, Foreign, Gradients, Interpolation, Later, Normalization, Pull, Result, SgdStep, Tape, Tensor, Window,
    assembled, foreign,
};
use dfdx::prelude::{Cache, Device, Synchronize};
use std::fmt::Debug;
use std::sync::Arc;

/// An elementwise non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x * sigmoid(x)` (Elfwing et al. 2017)
    Silu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `x * relu6(x + 3) / 6` (Howard et al. 2019)
    Hardswish,
}

/// How a factor is spread over an activation of shape (N, H, W, C) or (N, F).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broadcast {
    /// One factor a value.
    Element,
    /// One factor a sample: (N).
    Sample,
    /// One factor a sample and channel: (N, C).
    SampleChannel,
}

/// What batch normalization found in a batch.
#[derive(Debug, Clone)]
pub struct BatchStatistics<D: Kernels> {
    /// Mean of each channel, shape (C).
    pub mean: Tensor<D>,
    /// Biased variance of each channel, shape (C).
    pub variance: Tensor<D>,
    /// Values a channel: `N * H * W`.
    pub count: usize,
}

/// The operations of a device. The default methods are assembled from dfdx's public operations
/// and run on every device; a device overrides what it does better.
///
/// Shapes: images (N, H, W, C), features (N, F), convolution weights (KH, KW, `C_in` / groups,
/// `C_out`), linear weights (in, out). No gradient is computed for an operand that wants none.
pub trait Kernels: Device<f32> + Cache + Synchronize {
    /// What the fast kernels keep the gradient of an operation's result in.
    type Buffer: Debug + Send + 'static;

    /// Memory for values that are sent while the device computes.
    type Room: Debug + 'static;

    /// What it is, for a person.
    fn describe(&self) -> String;

    /// What its numbers depend on in their last bits, besides what is computed.
    fn rounding(&self) -> String {
        self.describe()
    }

    /// dfdx's tensor of what a buffer holds.
    fn settled(device: &Self, buffer: &Self::Buffer, len: usize) -> Result<Flat<Self>>;

    /// Copies a tensor's values to the host.
    fn read(tensor: &Tensor<Self>, to: &mut [f32]) -> Result<()>;

    /// A tensor of these values, which are copied.
    fn upload(device: &Self, values: &[f32], dims: &[usize]) -> Result<Tensor<Self>> {
        Tensor::from_vec(device, values.to_vec(), dims)
    }

    /// See [`Room::of`](super::Room::of).
    fn room(device: &Self, len: usize) -> Result<Self::Room>;

    /// See [`Room::send`](super::Room::send).
    fn send(device: &Self, room: Self::Room, values: &[f32], dims: &[usize]) -> Result<Later<Tensor<Self>>>;

    /// The gradient of a scalar to itself.
    fn one(device: &Self) -> Result<Self::Buffer>;

    /// The most bytes of the device's own memory that were in use at once since this was last asked; `None` where the
    /// device's memory is the host's.
    fn take_peak(&self) -> Option<u64> {
        None
    }

    /// Gives memory of the device's own back that is kept for later.
    fn give_back(&self) -> Result<()> {
        self.try_empty_cache().map_err(super::EngineError::device("cache"))
    }

    /// Bytes of the device's own memory, and how many of them are free.
    fn own_memory(&self) -> Option<[u64; 2]> {
        None
    }

    /// Two-dimensional convolution (cross-correlation) without bias.
    fn conv2d(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        weight: &Tensor<Self>,
        window: &Window,
        groups: usize,
    ) -> Result<Tensor<Self>> {
        assembled::conv2d(tape, x, weight, window, groups)
    }

    /// [`Kernels::conv2d`], then [`Kernels::batch_norm_inference`], then `residual` is added, then
    /// `activation`. The result is equal to that of the operations apart, to the last bit.
    #[allow(clippy::too_many_arguments)]
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
        assembled::conv2d_batch_norm(tape, x, weight, window, groups, norm, residual, activation)
    }

    /// `x · weight`, `x` (N, in), `weight` (in, out).
    fn matmul(tape: &mut Tape<Self>, x: &Tensor<Self>, weight: &Tensor<Self>) -> Result<Tensor<Self>> {
        assembled::matmul(tape, x, weight)
    }

    /// Adds `bias` (C) to the last dimension of `x`.
    fn add_bias(tape: &mut Tape<Self>, x: &Tensor<Self>, bias: &Tensor<Self>) -> Result<Tensor<Self>> {
        assembled::add_bias(tape, x, bias)
    }

    /// Batch normalization by given statistics, then `activation`: per channel
    /// `(x - mean) / sqrt(variance + eps) * scale + shift` (Ioffe and Szegedy 2015).
    #[allow(clippy::too_many_arguments)]
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
        assembled::batch_norm_inference(tape, x, scale, shift, mean, variance, eps, activation)
    }

    /// Batch normalization by the batch's own statistics, then `activation`.
    fn batch_norm_training(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        scale: &Tensor<Self>,
        shift: &Tensor<Self>,
        eps: f32,
        activation: Option<Activation>,
    ) -> Result<(Tensor<Self>, BatchStatistics<Self>)> {
        assembled::batch_norm_training(tape, x, scale, shift, eps, activation)
    }

    /// An elementwise non-linearity.
    fn activate(tape: &mut Tape<Self>, x: &Tensor<Self>, activation: Activation) -> Result<Tensor<Self>> {
        assembled::activate(tape, x, activation)
    }

    /// `a + b`, then `activation`.
    fn add(
        tape: &mut Tape<Self>,
        a: &Tensor<Self>,
        b: &Tensor<Self>,
        activation: Option<Activation>,
    ) -> Result<Tensor<Self>> {
        assembled::add(tape, a, b, activation)
    }

    /// `x * factor`, the factor spread as `broadcast` says. Both may want gradients.
    fn scale(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        factor: &Tensor<Self>,
        broadcast: Broadcast,
    ) -> Result<Tensor<Self>> {
        assembled::scale(tape, x, factor, broadcast)
    }

    /// Joins tensors along the last dimension.
    fn concat(tape: &mut Tape<Self>, parts: &[Tensor<Self>]) -> Result<Tensor<Self>> {
        assembled::concat(tape, parts)
    }

    /// The largest value of each window; padding never wins.
    fn max_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, window: &Window) -> Result<Tensor<Self>> {
        assembled::max_pool(tape, x, window)
    }

    /// The mean of each window; `count_padding` says whether padding counts as zeros.
    fn avg_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, window: &Window, count_padding: bool) -> Result<Tensor<Self>> {
        assembled::avg_pool(tape, x, window, count_padding)
    }

    /// The means of a grid of `output` cells that covers the image, as torch's
    /// `adaptive_avg_pool2d`: cell `i` of `n` covers rows `floor(i*h/n)..ceil((i+1)*h/n)`.
    fn adaptive_avg_pool(tape: &mut Tape<Self>, x: &Tensor<Self>, output: [usize; 2]) -> Result<Tensor<Self>> {
        assembled::adaptive_avg_pool(tape, x, output)
    }

    /// Two-dimensional transposed convolution without bias (Zeiler et al. 2010): the gradient of a
    /// convolution over images of `size` to its input. `weight` is (KH, KW, `C_out`, `C_in`), that of
    /// the convolution; `window` is its window, and the images that it gives are those of `x`.
    fn conv_transpose2d(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        weight: &Tensor<Self>,
        window: &Window,
        size: [usize; 2],
    ) -> Result<Tensor<Self>> {
        assembled::conv_transpose2d(tape, x, weight, window, size)
    }

    /// Images `factor` times as high and wide.
    fn upsample(
        tape: &mut Tape<Self>,
        x: &Tensor<Self>,
        factor: [usize; 2],
        interpolation: Interpolation,
    ) -> Result<Tensor<Self>> {
        assembled::upsample(tape, x, factor, interpolation)
    }

    /// The mean over all values of `(x - target)^2`, a scalar; the target gets no gradient.
    fn mean_squared_error(tape: &mut Tape<Self>, x: &Tensor<Self>, target: &Tensor<Self>) -> Result<Tensor<Self>> {
        assembled::mean_squared_error(tape, x, target)
    }

    /// An operation whose code lies outside of the engine, over inputs and parameters, with an
    /// output of the given shape. It sees tensors in memory of the host.
    fn foreign(
        tape: &mut Tape<Self>,
        operation: Arc<dyn Foreign>,
        inputs: &[Tensor<Self>],
        params: &[Tensor<Self>],
        output: &[usize],
    ) -> Result<Tensor<Self>> {
        foreign::through_host::<_, foreign::Stored<Self>>(tape, operation, inputs, params, output)
    }

    /// `-sum(targets * log_softmax(logits))`, a scalar. Both are (N, K); the targets carry label
    /// smoothing, class weights, mixing and the division by the batch.
    fn cross_entropy(tape: &mut Tape<Self>, logits: &Tensor<Self>, targets: &Tensor<Self>) -> Result<Tensor<Self>> {
        assembled::cross_entropy(tape, logits, targets)
    }

    /// Focal loss (Lin et al. 2017) over classes: `-sum(targets * (1 - p)^gamma * log(p))` with
    /// `p = softmax(logits)`, a scalar. Shapes and targets are those of [`Kernels::cross_entropy`],
    /// which it is for `gamma` 0.
    fn focal_loss(
        tape: &mut Tape<Self>,
        logits: &Tensor<Self>,
        targets: &Tensor<Self>,
        gamma: f64,
    ) -> Result<Tensor<Self>> {
        assembled::focal_loss(tape, logits, targets, gamma)
    }

    /// One step of SGD; see [`SgdStep::apply`].
    fn sgd_step(
        step: &SgdStep,
        param: &mut Tensor<Self>,
        velocity: &mut Tensor<Self>,
        gradients: &mut Gradients<Self>,
    ) -> Result<()> {
        assembled::sgd_step(step, param, velocity, gradients)
    }

    /// One step of `AdamW`, the `number`th from 1; see [`AdamWStep::apply`].
    fn adamw_step(
        step: &AdamWStep,
        number: i32,
        param: &mut Tensor<Self>,
        first: &mut Tensor<Self>,
        second: &mut Tensor<Self>,
        gradients: &mut Gradients<Self>,
    ) -> Result<()> {
        assembled::adamw_step(step, number, param, first, second, gradients)
    }

    /// `a * of_a + b * of_b`; nothing is recorded.
    fn blend(a: &Tensor<Self>, of_a: f32, b: &Tensor<Self>, of_b: f32) -> Result<Tensor<Self>> {
        assembled::blend(a, of_a, b, of_b)
    }

    /// The sums of the squares of the gradients of some tensors.
    fn gradient_norms_squared(gradients: &mut Gradients<Self>, tensors: &[&Tensor<Self>]) -> Result<Vec<f64>> {
        tensors.iter().map(|tensor| Self::gradient_norm_squared(gradients, tensor)).collect()
    }

    /// The same, read when they are asked for: until then a GPU may go on.
    fn gradient_norms_squared_later(
        gradients: &mut Gradients<Self>,
        tensors: &[&Tensor<Self>],
    ) -> Result<Later<Vec<f64>>> {
        Ok(Later::known(Self::gradient_norms_squared(gradients, tensors)?))
    }

    /// The sum of the squares of a tensor's gradient.
    fn gradient_norm_squared(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>) -> Result<f64> {
        assembled::gradient_norm_squared(gradients, tensor)
    }

    /// Multiplies a tensor's gradient by `factor`.
    fn scale_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, factor: f32) -> Result<()> {
        assembled::scale_gradient(gradients, tensor, factor)
    }

    /// Cuts each value of a tensor's gradient to `-limit..=limit`.
    fn clip_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, limit: f32) -> Result<()> {
        assembled::clip_gradient(gradients, tensor, limit)
    }

    /// Adds a pull to a tensor's gradient; see [`Pull::add`].
    fn pull(pull: &Pull<'_, Self>, gradients: &mut Gradients<Self>, tensor: &Tensor<Self>) -> Result<()> {
        assembled::pull(pull, gradients, tensor)
    }

    /// Adds `values` to a tensor's gradient.
    fn add_to_gradient(gradients: &mut Gradients<Self>, tensor: &Tensor<Self>, values: &Tensor<Self>) -> Result<()> {
        assembled::add_to_gradient(gradients, tensor, values)
    }

    /// Limits the norm of what flows into each output; see [`Tensor::limit_norms`].
    fn limit_norms(tensor: &mut Tensor<Self>, bound: f64) -> Result<()> {
        assembled::limit_norms(tensor, bound)
    }

    /// Moves `average` a share of the way towards `tensor`; see [`Tensor::approach`].
    fn approach(average: &mut Tensor<Self>, tensor: &Tensor<Self>, share: f64) -> Result<()> {
        assembled::approach(average, tensor, share)
    }

    /// Whether no value of a tensor is NaN or infinite.
    fn all_finite(tensor: &Tensor<Self>) -> Result<bool> {
        assembled::all_finite(tensor)
    }
}
