//! Products with matrices, and biases.

use super::super::{EngineError, Kernels, Result, Tape, Tensor};
use super::operand::{Plain, Rows, Taped, finish, operand, rows_of, taped};
use dfdx::prelude::{Axis, BroadcastTo, HasShape, PutTape, TryAdd, TryMatMul};

/// See [`Kernels::matmul`].
pub fn matmul<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, weight: &Tensor<D>) -> Result<Tensor<D>> {
    let (rows, outputs) = match (x.dims(), weight.dims()) {
        (&[rows, inputs], &[weight_inputs, outputs]) if inputs == weight_inputs => (rows, outputs),
        _ => {
            let shapes = vec![x.dims().to_vec(), weight.dims().to_vec()];
            return Err(EngineError::Shapes { operation: "matmul", shapes });
        }
    };
    let (output, recorded) = taped!(tape, &[x, weight], "matmul", |lent, recorded| {
        let x = operand(x, rows_of(x.dims()), recorded)?.put_tape(lent);
        x.try_matmul(operand(weight, rows_of(weight.dims()), recorded)?)
    });
    finish(output, &[rows, outputs], recorded)
}

/// See [`Kernels::add_bias`].
pub fn add_bias<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>, bias: &Tensor<D>) -> Result<Tensor<D>> {
    let columns = bias.len();
    if columns == 0 || x.dims().last() != Some(&columns) {
        let shapes = vec![x.dims().to_vec(), bias.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "add_bias", shapes });
    }
    let (output, recorded) = taped!(tape, &[x, bias], "add_bias", |lent, recorded| {
        let x = operand(x, rows_of(x.dims()), recorded)?.put_tape(lent);
        add_to_rows(x, operand(bias, (columns,), recorded)?)
    });
    finish(output, x.dims(), recorded)
}

fn add_to_rows<D: Kernels, T: dfdx::prelude::Tape<f32, D>>(
    x: Taped<Rows, D, T>,
    bias: Plain<(usize,), D>,
) -> std::result::Result<Taped<Rows, D, T>, D::Err> {
    let shape = *x.shape();
    x.try_add(bias.try_broadcast_like::<_, Axis<0>>(&shape)?)
}
