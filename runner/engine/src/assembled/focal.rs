//! Focal loss.

use super::super::{EngineError, Kernels, Result, Tape, Tensor};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{Axis, PutTape, SplitTape, SumTo, TryAdd, TryMul};

/// The least `1 - p`: the slope of its power is infinite at 0 for exponents below 1.
const LEAST: f32 = 1e-7;

/// See [`Kernels::focal_loss`].
pub fn focal_loss<D: Kernels>(
    tape: &mut Tape<D>,
    logits: &Tensor<D>,
    targets: &Tensor<D>,
    gamma: f64,
) -> Result<Tensor<D>> {
    if logits.dims().len() != 2 || logits.is_empty() || logits.dims() != targets.dims() {
        let shapes = vec![logits.dims().to_vec(), targets.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "focal_loss", shapes });
    }
    let (output, recorded) = taped!(tape, &[logits], "focal_loss", |lent, recorded| {
        let logits = operand(logits, rows_of(logits.dims()), recorded)?.put_tape(lent);
        let targets = targets.clone().wanting_grad(false);
        loss(logits, operand(&targets, rows_of(targets.dims()), recorded)?, gamma)
    });
    finish(output, &[], recorded)
}

fn loss<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    logits: Taped<Rows, D, T>,
    targets: Plain<Rows, D>,
    gamma: f64,
) -> std::result::Result<Taped<(), D, T>, D::Err> {
    let (log_p, lent) = logits.try_log_softmax::<Axis<1>>()?.split_tape();
    let missed = log_p.clone().put_tape(lent).try_exp()?.try_negate()?.try_add(1.0)?;
    let terms = missed.try_clamp(LEAST, 1.0)?.try_powf(gamma)?.try_mul(log_p)?.try_mul(targets)?;
    let of_samples: Taped<(usize,), D, T> = terms.try_sum::<_, Axis<1>>()?;
    of_samples.try_sum::<(), Axis<0>>()?.try_negate()
}
