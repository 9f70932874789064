//! Steps of the optimizers, and what is done to gradients and weights around them.

use super::super::{AdamWStep, Cuda, Gradients, Later, Pull, Result, SgdStep, Tensor};
use super::buffer::{accumulate, named};
use super::gpu::{Argument, Place, Run, gpu};
use cudarc::driver::CudaSlice;

/// Parts that a sum over one tensor is taken in.
const PARTS: usize = 32;

/// See [`super::super::Kernels::sgd_step`].
pub fn sgd_step(
    step: &SgdStep,
    param: &mut Tensor<Cuda>,
    velocity: &mut Tensor<Cuda>,
    gradients: &mut Gradients<Cuda>,
) -> Result<()> {
    let numbers: Vec<Argument> =
        [step.lr, step.momentum, step.weight_decay].iter().map(|&number| (number as f32).into()).collect();
    let mut run = || {
        let (gradient, len) = (of(gradients, param)?, param.len());
        let places = [param.place_mut()?, velocity.place_mut()?, gradient].map(Into::into);
        gpu()?.each("sgd", len, &[&places[..], &[len.into()], &numbers, &[step.nesterov.into()]].concat())
    };
    named("sgd", run())
}

/// See [`super::super::Kernels::adamw_step`].
pub fn adamw_step(
    step: &AdamWStep,
    number: i32,
    param: &mut Tensor<Cuda>,
    first: &mut Tensor<Cuda>,
    second: &mut Tensor<Cuda>,
    gradients: &mut Gradients<Cuda>,
) -> Result<()> {
    let [correction, root_correction] = step.corrections(number);
    let [beta1, beta2] = step.betas;
    let keep = 1.0 - step.lr * step.weight_decay;
    let numbers = [keep, beta1, 1.0 - beta1, beta2, 1.0 - beta2, step.lr / correction, root_correction, step.eps];
    let numbers = numbers.map(|number| (number as f32).into());
    let mut run = || {
        let (gradient, len) = (of(gradients, param)?, param.len());
        let places = [param.place_mut()?, first.place_mut()?, second.place_mut()?, gradient].map(Into::into);
        gpu()?.each("adamw", len, &[&places[..], &[len.into()], &numbers].concat())
    };
    named("adamw", run())
}

/// See [`super::super::Kernels::gradient_norms_squared_later`]: one kernel for all of them.
pub fn gradient_norms_squared(gradients: &mut Gradients<Cuda>, tensors: &[&Tensor<Cuda>]) -> Result<Later<Vec<f64>>> {
    let places = tensors.iter().map(|tensor| Ok((of(gradients, tensor)?, tensor.len()))).collect::<Run<Vec<_>>>();
    let parts = named("norm", places.and_then(|places| sums("squares", &places)))?;
    Ok(Later::new(move || named("norm", read(&parts))))
}

/// The sums that `kernel` takes over runs of values, in parts.
fn sums(kernel: &str, runs: &[(Place, usize)]) -> Run<CudaSlice<f64>> {
    let (gpu, count) = (gpu()?, runs.len());
    let parts = gpu.room_of::<f64>(count * PARTS)?;
    let table = gpu.copied(runs.iter().flat_map(|&(place, len)| [place.0, len as u64]).collect::<Vec<u64>>())?;
    if count > 0 {
        let operands = [Place::of(&parts).into(), Place::of(&table).into()];
        gpu.launch(kernel, [PARTS, count, 1], [256, 1], 0, &operands)?;
    }
    Ok(parts)
}

fn read(parts: &CudaSlice<f64>) -> Run<Vec<f64>> {
    Ok(gpu()?.read(parts)?.chunks_exact(PARTS).map(|parts| parts.iter().sum()).collect())
}

/// See [`super::super::Kernels::scale_gradient`].
pub fn scale_gradient(gradients: &mut Gradients<Cuda>, tensor: &Tensor<Cuda>, factor: f32) -> Result<()> {
    let mut run = || {
        let (gradient, len) = (of(gradients, tensor)?, tensor.len());
        let operands = [gradient.into(), gradient.into(), factor.into(), gradient.into(), 0.0_f32.into(), len.into()];
        gpu()?.each_four("blend", len, &operands)
    };
    named("scale", run())
}

/// See [`super::super::Kernels::clip_gradient`].
pub fn clip_gradient(gradients: &mut Gradients<Cuda>, tensor: &Tensor<Cuda>, limit: f32) -> Result<()> {
    let mut run =
        || gpu()?.each("clip", tensor.len(), &[of(gradients, tensor)?.into(), limit.abs().into(), tensor.len().into()]);
    named("clip", run())
}

/// See [`super::super::Kernels::pull`].
pub fn pull(pull: &Pull<'_, Cuda>, gradients: &mut Gradients<Cuda>, tensor: &Tensor<Cuda>) -> Result<()> {
    let mut run = || {
        let towards = pull.towards.map_or(Ok(Place::NONE), Tensor::place)?;
        let places = [of(gradients, tensor)?, tensor.place()?, towards].map(Into::into);
        let numbers = [(pull.square as f32).into(), (pull.absolute as f32).into(), tensor.len().into()];
        gpu()?.each("pull", tensor.len(), &[places, numbers].concat())
    };
    named("pull", run())
}

/// See [`super::super::Kernels::add_to_gradient`].
pub fn add_to_gradient(gradients: &mut Gradients<Cuda>, tensor: &Tensor<Cuda>, values: &Tensor<Cuda>) -> Result<()> {
    let mut run = || accumulate(of(gradients, tensor)?, values.place()?, tensor.len());
    named("add", run())
}

/// See [`super::super::Kernels::limit_norms`].
pub fn limit_norms(tensor: &mut Tensor<Cuda>, bound: f64) -> Result<()> {
    let columns = tensor.dims().last().copied().unwrap_or(1).max(1);
    let rows = tensor.len() / columns;
    let mut run = || {
        let operands = [tensor.place_mut()?.into(), (rows as i32).into(), (columns as i32).into(), bound.into()];
        gpu()?.launch("limit_norms", [columns, 1, 1], [128, 1], 0, &operands)
    };
    named("limit_norms", run())
}

/// See [`super::super::Kernels::approach`].
pub fn approach(average: &mut Tensor<Cuda>, tensor: &Tensor<Cuda>, share: f64) -> Result<()> {
    let len = tensor.len();
    let mut run = || {
        let operands = [average.place_mut()?.into(), tensor.place()?.into(), (share as f32).into(), len.into()];
        gpu()?.each("approach", len, &operands)
    };
    named("approach", run())
}

/// See [`super::super::Kernels::all_finite`].
pub fn all_finite(tensor: &Tensor<Cuda>) -> Result<bool> {
    let counts = tensor.place().and_then(|place| read(&sums("not_finite", &[(place, tensor.len())])?));
    Ok(named("all_finite", counts)?.iter().all(|&count| count == 0.0))
}

/// Where a tensor's gradient is.
fn of(gradients: &mut Gradients<Cuda>, tensor: &Tensor<Cuda>) -> Run<Place> {
    Ok(Place::of(gradients.inner().get_or_alloc_mut(tensor.flat())?))
}
