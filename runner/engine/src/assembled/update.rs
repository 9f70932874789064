//! Steps of the optimizers, and what is done to gradients before them.

use super::super::tensor::Flat;
use super::super::{AdamWStep, EngineError, Gradients, Kernels, Result, SgdStep, Tensor};
use dfdx::prelude::{SumTo, TryAdd, TryDiv, TryMatMul, TryMul};

/// See [`Kernels::sgd_step`].
pub fn sgd_step<D: Kernels>(
    step: &SgdStep,
    param: &mut Tensor<D>,
    velocity: &mut Tensor<D>,
    gradients: &mut Gradients<D>,
) -> Result<()> {
    let device = EngineError::device::<D::Err>;
    let mut direction: Flat<D> = gradients.of(param)?.flat().clone();
    direction.try_axpy(1.0, param.flat(), step.weight_decay).map_err(device("sgd"))?;
    if step.momentum != 0.0 {
        velocity.flat_mut().try_axpy(step.momentum, &direction, 1.0).map_err(device("sgd"))?;
        if step.nesterov {
            direction.try_axpy(1.0, velocity.flat(), step.momentum).map_err(device("sgd"))?;
        } else {
            direction = velocity.flat().clone();
        }
    }
    param.flat_mut().try_axpy(1.0, &direction, -step.lr).map_err(device("sgd"))
}

/// See [`Kernels::adamw_step`].
pub fn adamw_step<D: Kernels>(
    step: &AdamWStep,
    number: i32,
    param: &mut Tensor<D>,
    first: &mut Tensor<D>,
    second: &mut Tensor<D>,
    gradients: &mut Gradients<D>,
) -> Result<()> {
    let gradient = gradients.of(param)?;
    let mut move_all = || -> std::result::Result<(), D::Err> {
        let gradient = gradient.flat();
        let [correction, root_correction] = step.corrections(number);
        first.flat_mut().try_axpy(step.betas[0], gradient, 1.0 - step.betas[0])?;
        second.flat_mut().try_axpy(step.betas[1], &gradient.clone().try_square()?, 1.0 - step.betas[1])?;
        let root = second.flat().clone().try_sqrt()?;
        let divisor = root.try_mul((1.0 / root_correction) as f32)?.try_add(step.eps as f32)?;
        let direction = first.flat().clone().try_div(divisor)?;
        param.flat_mut().try_axpy(1.0 - step.lr * step.weight_decay, &direction, -step.lr / correction)
    };
    move_all().map_err(EngineError::device("adamw"))
}

/// See [`Kernels::gradient_norm_squared`].
pub fn gradient_norm_squared<D: Kernels>(gradients: &mut Gradients<D>, tensor: &Tensor<D>) -> Result<f64> {
    let gradient = gradients.of(tensor)?;
    // A product of matrices is summed in blocks, where `sum` is sequential.
    let (row, column) = (gradient.shaped((1, gradient.len()))?, gradient.shaped((gradient.len(), 1))?);
    let product = row.try_matmul(column).map_err(EngineError::device("norm"))?;
    Ok(product.as_vec().first().copied().map_or(0.0, f64::from))
}

/// See [`Kernels::scale_gradient`].
pub fn scale_gradient<D: Kernels>(gradients: &mut Gradients<D>, tensor: &Tensor<D>, factor: f32) -> Result<()> {
    let scaled = gradients.of(tensor)?.flat().clone().try_mul(factor).map_err(EngineError::device("scale"))?;
    gradients.set(tensor, scaled)
}

/// See [`Kernels::clip_gradient`].
pub fn clip_gradient<D: Kernels>(gradients: &mut Gradients<D>, tensor: &Tensor<D>, limit: f32) -> Result<()> {
    let clipped = gradients
        .of(tensor)?
        .flat()
        .clone()
        .try_clamp(-limit.abs(), limit.abs())
        .map_err(EngineError::device("clip"))?;
    gradients.set(tensor, clipped)
}

/// See [`Kernels::all_finite`].
pub fn all_finite<D: Kernels>(tensor: &Tensor<D>) -> Result<bool> {
    // Zero times a value is zero, except for NaN and the infinities.
    let zeros = tensor.flat().clone().try_mul(0.0).map_err(EngineError::device("all_finite"))?;
    let sum = zeros.try_sum::<(), dfdx::prelude::Axis<0>>().map_err(EngineError::device("all_finite"))?;
    Ok(sum.as_vec() == [0.0])
}
