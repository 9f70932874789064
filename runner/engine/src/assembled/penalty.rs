//! What is added to gradients besides the loss's, what is done to weights after a step, and averages
//! of them.

use super::super::tensor::Flat;
use super::super::{EngineError, Gradients, Kernels, Pull, Result, Tensor};
use super::operand::rows_of;
use dfdx::prelude::{Axis, BroadcastTo, ChooseFrom, HasShape, ReshapeTo, SumTo, TryDiv, TryGt, TryLt, TryMul, TrySub};

/// See [`Kernels::pull`].
pub fn pull<D: Kernels>(pull: &Pull<'_, D>, gradients: &mut Gradients<D>, tensor: &Tensor<D>) -> Result<()> {
    let mut gradient = gradients.of(tensor)?.flat().clone();
    let mut add = || -> std::result::Result<(), D::Err> {
        let mut away: Flat<D> = tensor.flat().clone();
        if let Some(towards) = pull.towards {
            away.try_axpy(1.0, towards.flat(), -1.0)?;
        }
        gradient.try_axpy(1.0, &away, pull.square)?;
        if pull.absolute != 0.0 {
            gradient.try_axpy(1.0, &signs::<D>(&away)?, pull.absolute)?;
        }
        Ok(())
    };
    add().map_err(EngineError::device("pull"))?;
    gradients.set(tensor, gradient)
}

/// -1, 0 or 1.
fn signs<D: Kernels>(values: &Flat<D>) -> std::result::Result<Flat<D>, D::Err> {
    let zeros = values.device().try_zeros_like(values.shape())?;
    let ones = values.device().try_ones_like(values.shape())?;
    let positive = values.try_gt(0.0)?.try_choose(ones.clone(), zeros.clone())?;
    let negative = values.try_lt(0.0)?.try_choose(ones, zeros)?;
    positive.try_sub(negative)
}

/// See [`Kernels::add_to_gradient`].
pub fn add_to_gradient<D: Kernels>(gradients: &mut Gradients<D>, tensor: &Tensor<D>, values: &Tensor<D>) -> Result<()> {
    let mut gradient = gradients.of(tensor)?.flat().clone();
    gradient.try_axpy(1.0, values.flat(), 1.0).map_err(EngineError::device("add_to_gradient"))?;
    gradients.set(tensor, gradient)
}

/// See [`Kernels::limit_norms`].
pub fn limit_norms<D: Kernels>(tensor: &mut Tensor<D>, bound: f64) -> Result<()> {
    let shape = rows_of(tensor.dims());
    let mut limit = || -> std::result::Result<(), D::Err> {
        let rows = tensor.flat().clone().try_reshape_like(&shape)?;
        let norms = rows.clone().try_square()?.try_sum::<(usize,), Axis<0>>()?.try_sqrt()?;
        // Exactly 1 where the norm is within the bound.
        let bounds = norms.device().try_ones_like(norms.shape())?.try_mul(bound as f32)?;
        let factors = bounds.try_div(norms.try_clamp(bound as f32, f32::MAX)?)?;
        let limited = rows.try_mul(factors.try_broadcast_like::<_, Axis<0>>(&shape)?)?;
        let limited: Flat<D> = limited.try_reshape_like(&(shape.0 * shape.1,))?;
        tensor.flat_mut().try_axpy(0.0, &limited, 1.0)
    };
    limit().map_err(EngineError::device("limit_norms"))
}

/// See [`Kernels::approach`].
pub fn approach<D: Kernels>(average: &mut Tensor<D>, tensor: &Tensor<D>, share: f64) -> Result<()> {
    average.flat_mut().try_axpy(1.0 - share, tensor.flat(), share).map_err(EngineError::device("approach"))
}
