//! The mean squared error.

use super::super::{EngineError, Kernels, Result, Tape, Tensor};
use super::operand::{Plain, Rows, Taped, finish, operand, taped};
use dfdx::prelude::{Axis, PutTape, SumTo, TryMul, TrySub};

/// See [`Kernels::mean_squared_error`].
pub fn mean_squared_error<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, target: &Tensor<D>) -> Result<Tensor<D>> {
    if x.is_empty() || x.dims() != target.dims() {
        let shapes = vec![x.dims().to_vec(), target.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "mean_squared_error", shapes });
    }
    // Neither of the two sums is long.
    let across: usize = x.dims().iter().rev().take(2).product();
    let shape = (x.len() / across, across);
    let (output, recorded) = taped!(tape, &[x], "mean_squared_error", |lent, recorded| {
        let x = operand(x, shape, recorded)?.put_tape(lent);
        let target = target.clone().wanting_grad(false);
        mean(x, operand(&target, shape, recorded)?)
    });
    finish(output, &[], recorded)
}

fn mean<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Rows, D, T>,
    target: Plain<Rows, D>,
) -> std::result::Result<Taped<(), D, T>, D::Err> {
    use dfdx::prelude::HasShape;
    let (rows, across) = *x.shape();
    let squares = x.try_sub(target)?.try_square()?;
    let of_rows: Taped<(usize,), D, T> = squares.try_sum::<_, Axis<1>>()?;
    of_rows.try_sum::<(), Axis<0>>()?.try_mul(1.0 / (rows * across) as f32)
}
