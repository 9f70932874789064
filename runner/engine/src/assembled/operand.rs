//! How tensors go into dfdx's operations and come out.

use super::super::tensor::Flat;
use super::super::{EngineError, Kernels, Result, Tensor};
use dfdx::prelude::{ReshapeTo, Shape, TryMul};

/// dfdx's tensor under a tape.
pub type Taped<S, D, T> = dfdx::prelude::Tensor<S, f32, D, T>;
/// dfdx's tensor without a tape.
pub type Plain<S, D> = dfdx::prelude::Tensor<S, f32, D>;
/// Rows and columns.
pub type Rows = (usize, usize);

/// Shape of `dims` as rows of its last dimension.
pub fn rows_of(dims: &[usize]) -> Rows {
    let columns = dims.last().copied().unwrap_or(1);
    (dims.iter().product::<usize>() / columns.max(1), columns)
}

/// The tensor as an operand of dfdx's operations. Where it wants no gradient and the operation is
/// `recorded` for another's sake, it is given an identity of its own: dfdx computes its gradient
/// all the same, and it must not be taken for one.
pub fn operand<D: Kernels, S: Shape>(tensor: &Tensor<D>, shape: S, recorded: bool) -> Result<Plain<S, D>> {
    let shaped = tensor.shaped(shape)?;
    if tensor.wants_grad() || !recorded {
        return Ok(shaped);
    }
    shaped.try_mul(1.0).map_err(EngineError::device("copy"))
}

/// Wraps what came out.
pub fn finish<D: Kernels, S: Shape>(output: Plain<S, D>, dims: &[usize], recorded: bool) -> Result<Tensor<D>> {
    let count = dims.iter().product();
    let flat: Flat<D> = output.try_reshape_like(&(count,)).map_err(EngineError::device("reshape"))?;
    Ok(Tensor::from_flat(flat, dims.to_vec()).wanting_grad(recorded))
}

/// Runs an operation of dfdx on the tape: `$body` is an expression over `$recorded` (whether it is
/// recorded) and `$lent` (the tape that the first operand is to carry). Gives the output and
/// whether it was recorded.
macro_rules! taped {
    ($tape:expr, $operands:expr, $name:literal, |$lent:ident, $recorded:ident| $body:expr) => {{
        let $recorded = $tape.records($operands);
        if $recorded {
            let $lent = $tape.lend();
            let output = $body.map_err($crate::EngineError::device($name))?;
            let (output, lent) = dfdx::prelude::SplitTape::split_tape(output);
            $tape.give(lent);
            (output, true)
        } else {
            let $lent = dfdx::prelude::NoneTape;
            let output = $body.map_err($crate::EngineError::device($name))?;
            (dfdx::prelude::SplitTape::split_tape(output).0, false)
        }
    }};
}
pub(super) use taped;
