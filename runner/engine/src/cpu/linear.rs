//! Products with a matrix of weights, and biases.

use super::super::{Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;
use super::plane::Plane;
use super::split;
use super::wide::wide;

/// See [`super::super::Kernels::matmul`].
pub fn matmul(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, weight: &Tensor<Cpu>) -> Result<Tensor<Cpu>> {
    let (&[rows, inputs], &[weight_inputs, outputs]) = (x.dims(), weight.dims()) else { return Err(misfit(x, weight)) };
    if inputs != weight_inputs {
        return Err(misfit(x, weight));
    }
    Plane::product(rows, inputs, outputs).apply(tape, x, weight, &[rows, outputs])
}

fn misfit(x: &Tensor<Cpu>, weight: &Tensor<Cpu>) -> EngineError {
    EngineError::Shapes { operation: "matmul", shapes: vec![x.dims().to_vec(), weight.dims().to_vec()] }
}

/// See [`super::super::Kernels::add_bias`].
pub fn add_bias(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, bias: &Tensor<Cpu>) -> Result<Tensor<Cpu>> {
    let columns = bias.len();
    if columns == 0 || x.dims().last() != Some(&columns) {
        let shapes = vec![x.dims().to_vec(), bias.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "add_bias", shapes });
    }
    let y = Tensor::written(x.device(), x.dims(), |y| {
        let (x, bias) = (x.values(), bias.values());
        split::rows(y, columns, |first, y| {
            let x = &x[first * columns..][..y.len()];
            wide!({
                for (y, x) in y.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
                    y.iter_mut().zip(x.iter().zip(bias)).for_each(|(y, (x, bias))| *y = x + bias);
                }
            });
        });
    })?;
    if !tape.records(&[x, bias]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let (of_x, of_bias) = (Slot::wanted(x), Slot::wanted(bias));
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let Some(of_bias) = of_bias {
            let sums = column_sums(&gy, columns);
            of_bias.add(flow, |gb| gb.iter_mut().zip(sums).for_each(|(sum, value)| *sum += value as f32))?;
        }
        if let Some(of_x) = of_x {
            of_x.give(flow, gy)?;
        }
        Ok(())
    });
    Ok(y)
}

/// The sum of each column.
fn column_sums(values: &[f32], columns: usize) -> Vec<f64> {
    const ROWS: usize = 64;
    let parts = split::map(values.len() / columns, 32, ROWS, |rows| {
        let mut total = vec![0.0_f64; columns];
        let mut sums = vec![0.0_f32; columns];
        for start in rows.clone().step_by(ROWS) {
            let values = &values[start * columns..(start + ROWS).min(rows.end) * columns];
            wide!({
                for row in values.chunks_exact(columns) {
                    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
            });
            total.iter_mut().zip(&mut sums).for_each(|(total, sum)| *total += f64::from(std::mem::take(sum)));
        }
        total
    });
    split::total(parts)
}
