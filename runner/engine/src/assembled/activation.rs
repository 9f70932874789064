//! Activations.

use super::super::{Activation, EngineError, Kernels, Result, Tape, Tensor};
use super::operand::{Plain, Taped, finish, operand, taped};
use dfdx::prelude::{ChooseFrom, HasShape, PutTape, Shape, SplitTape, TryAdd, TryGe, TryLe, TryMul};

/// See [`Kernels::activate`].
pub fn activate<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, activation: Activation) -> Result<Tensor<D>> {
    let (output, recorded) = taped!(tape, &[x], "activation", |lent, recorded| {
        apply(operand(x, (x.len(),), recorded)?.put_tape(lent), Some(activation))
    });
    finish(output, x.dims(), recorded)
}

/// See [`Kernels::add`].
pub fn add<D: Kernels>(
    tape: &mut Tape<D>,
    a: &Tensor<D>,
    b: &Tensor<D>,
    activation: Option<Activation>,
) -> Result<Tensor<D>> {
    if a.dims() != b.dims() {
        return Err(EngineError::Shapes { operation: "add", shapes: vec![a.dims().to_vec(), b.dims().to_vec()] });
    }
    let (output, recorded) = taped!(tape, &[a, b], "add", |lent, recorded| {
        let a = operand(a, (a.len(),), recorded)?.put_tape(lent);
        // dfdx refuses the sum of a tensor with itself; another identity, recorded, is another
        // tensor with the same gradient.
        let b = operand(b, (b.len(),), recorded)?;
        apply_to_sum(a, &b, activation)
    });
    finish(output, a.dims(), recorded)
}

fn apply_to_sum<D: Kernels, S: Shape, T: dfdx::prelude::Tape<f32, D>>(
    a: Taped<S, D, T>,
    b: &Plain<S, D>,
    activation: Option<Activation>,
) -> std::result::Result<Taped<S, D, T>, D::Err> {
    let b = b.retaped::<T>().try_mul(1.0)?;
    apply(a.try_add(b)?, activation)
}

/// The activation of `x`.
pub fn apply<D: Kernels, S: Shape, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<S, D, T>,
    activation: Option<Activation>,
) -> std::result::Result<Taped<S, D, T>, D::Err> {
    match activation {
        None => Ok(x),
        Some(Activation::Relu) => relu(x),
        Some(Activation::Relu6) => relu6(x),
        Some(Activation::Sigmoid) => x.try_sigmoid(),
        Some(Activation::Silu) => {
            let (x, lent) = x.split_tape();
            x.clone().put_tape(lent).try_sigmoid()?.try_mul(x)
        }
        Some(Activation::Hardswish) => {
            let (x, lent) = x.split_tape();
            relu6(x.clone().put_tape(lent).try_add(3.0)?)?.try_mul(1.0 / 6.0)?.try_mul(x)
        }
    }
}

/// dfdx's own makes 0 of NaN.
fn relu<D: Kernels, S: Shape, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<S, D, T>,
) -> std::result::Result<Taped<S, D, T>, D::Err> {
    let zeros = x.device().try_zeros_like(x.shape())?;
    x.try_le(0.0)?.try_choose(zeros.retaped::<T>(), x)
}

fn relu6<D: Kernels, S: Shape, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<S, D, T>,
) -> std::result::Result<Taped<S, D, T>, D::Err> {
    let x = relu(x)?;
    let sixes = x.device().try_zeros_like(x.shape())?.try_add(6.0)?;
    x.try_ge(6.0)?.try_choose(sixes.retaped::<T>(), x)
}
