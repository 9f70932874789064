//! Kernels assembled from dfdx's public operations alone: they run on every dfdx device.
#![allow(unused_variables, missing_docs, clippy::too_many_arguments)]

use super::{
    Activation, AdamWStep, BatchStatistics, Broadcast, Gradients, Kernels, Result, SgdStep, Tape, Tensor, Window,
};

pub fn conv2d<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    window: &Window,
    groups: usize,
) -> Result<Tensor<D>> {
    todo!()
}
pub fn matmul<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, weight: &Tensor<D>) -> Result<Tensor<D>> {
    todo!()
}
pub fn add_bias<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, bias: &Tensor<D>) -> Result<Tensor<D>> {
    todo!()
}
pub fn batch_norm_inference<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    scale: &Tensor<D>,
    shift: &Tensor<D>,
    mean: &Tensor<D>,
    variance: &Tensor<D>,
    eps: f32,
    activation: Option<Activation>,
) -> Result<Tensor<D>> {
    todo!()
}
pub fn batch_norm_training<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    scale: &Tensor<D>,
    shift: &Tensor<D>,
    eps: f32,
    activation: Option<Activation>,
) -> Result<(Tensor<D>, BatchStatistics<D>)> {
    todo!()
}
pub fn activate<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, activation: Activation) -> Result<Tensor<D>> {
    todo!()
}
pub fn add<D: Kernels>(
    tape: &mut Tape<D>,
    a: &Tensor<D>,
    b: &Tensor<D>,
    activation: Option<Activation>,
) -> Result<Tensor<D>> {
    todo!()
}
pub fn scale<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    factor: &Tensor<D>,
    broadcast: Broadcast,
) -> Result<Tensor<D>> {
    todo!()
}
pub fn concat<D: Kernels>(tape: &mut Tape<D>, parts: &[Tensor<D>]) -> Result<Tensor<D>> {
    todo!()
}
pub fn max_pool<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, window: &Window) -> Result<Tensor<D>> {
    todo!()
}
pub fn avg_pool<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    window: &Window,
    count_padding: bool,
) -> Result<Tensor<D>> {
    todo!()
}
pub fn adaptive_avg_pool<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, output: [usize; 2]) -> Result<Tensor<D>> {
    todo!()
}
pub fn cross_entropy<D: Kernels>(tape: &mut Tape<D>, logits: &Tensor<D>, targets: &Tensor<D>) -> Result<Tensor<D>> {
    todo!()
}
pub fn sgd_step<D: Kernels>(
    step: &SgdStep,
    param: &mut Tensor<D>,
    velocity: &mut Tensor<D>,
    gradients: &mut Gradients<D>,
) -> Result<()> {
    todo!()
}
pub fn adamw_step<D: Kernels>(
    step: &AdamWStep,
    number: i32,
    param: &mut Tensor<D>,
    first: &mut Tensor<D>,
    second: &mut Tensor<D>,
    gradients: &mut Gradients<D>,
) -> Result<()> {
    todo!()
}
pub fn gradient_norm_squared<D: Kernels>(gradients: &mut Gradients<D>, tensor: &Tensor<D>) -> Result<f64> {
    todo!()
}
pub fn scale_gradient<D: Kernels>(gradients: &mut Gradients<D>, tensor: &Tensor<D>, factor: f32) -> Result<()> {
    todo!()
}
pub fn clip_gradient<D: Kernels>(gradients: &mut Gradients<D>, tensor: &Tensor<D>, limit: f32) -> Result<()> {
    todo!()
}
pub fn all_finite<D: Kernels>(tensor: &Tensor<D>) -> Result<bool> {
    todo!()
}
