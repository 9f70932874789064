//! Cross-entropy.

use super::super::{EngineError, Kernels, Result, Tape, Tensor};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{Axis, PutTape, SumTo, TryMul};

/// See [`Kernels::cross_entropy`].
pub fn cross_entropy<D: Kernels>(tape: &mut Tape<D>, logits: &Tensor<D>, targets: &Tensor<D>) -> Result<Tensor<D>> {
    if logits.dims().len() != 2 || logits.is_empty() || logits.dims() != targets.dims() {
        let shapes = vec![logits.dims().to_vec(), targets.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "cross_entropy", shapes });
    }
    let (output, recorded) = taped!(tape, &[logits], "cross_entropy", |lent, recorded| {
        let logits = operand(logits, rows_of(logits.dims()), recorded)?.put_tape(lent);
        let targets = targets.clone().wanting_grad(false);
        loss(logits, operand(&targets, rows_of(targets.dims()), recorded)?)
    });
    finish(output, &[], recorded)
}

fn loss<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    logits: Taped<Rows, D, T>,
    targets: Plain<Rows, D>,
) -> std::result::Result<Taped<(), D, T>, D::Err> {
    let terms = logits.try_log_softmax::<Axis<1>>()?.try_mul(targets)?;
    let of_samples: Taped<(usize,), D, T> = terms.try_sum::<_, Axis<1>>()?;
    of_samples.try_sum::<(), Axis<0>>()?.try_negate()
}
