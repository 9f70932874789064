//! Products with a matrix of weights, and biases.

use super::super::{Cuda, EngineError, Result, Tape, Tensor};
use super::buffer::{Slot, record, written};
use super::gpu::{Gpu, Place, Run, gpu};
use super::product::Matrix;

/// See [`super::super::Kernels::matmul`].
pub fn matmul(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, weight: &Tensor<Cuda>) -> Result<Tensor<Cuda>> {
    let misfit =
        || EngineError::Shapes { operation: "matmul", shapes: vec![x.dims().to_vec(), weight.dims().to_vec()] };
    let (&[rows, inputs], &[weight_inputs, outputs]) = (x.dims(), weight.dims()) else { return Err(misfit()) };
    if inputs != weight_inputs {
        return Err(misfit());
    }
    multiply(tape, x, weight, [rows, inputs, outputs], &[rows, outputs])
}

/// The product of rows of `x` with the matrix `weight`, of the shape `dims`, recorded where a gradient is wanted.
pub fn multiply(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    weight: &Tensor<Cuda>,
    [rows, inputs, outputs]: [usize; 3],
    dims: &[usize],
) -> Result<Tensor<Cuda>> {
    let (of_x, of_weight, of_y) = (
        move |place| Matrix::new(place, inputs),
        move |place| Matrix::new(place, outputs),
        move |place| Matrix::new(place, outputs),
    );
    let y = written("matmul", x.device(), dims, |gpu, y| {
        gpu.product(of_y(y), of_x(x.place()?), of_weight(weight.place()?), [rows, inputs, outputs], false)
    })?;
    let weight_gradient = move |gpu: &Gpu, x: Place, gy: Place, gw: Place| {
        gpu.product(of_weight(gw), of_x(x).turned(), of_y(gy), [inputs, rows, outputs], true)
    };
    Ok(record(tape, y, [x, weight], weight_gradient, move |gpu, weight, gy, gx, add| {
        gpu.product(of_x(gx), of_y(gy), of_weight(weight).turned(), [rows, outputs, inputs], add)
    }))
}

/// See [`super::super::Kernels::add_bias`].
pub fn add_bias(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, bias: &Tensor<Cuda>) -> Result<Tensor<Cuda>> {
    let (columns, len) = (bias.len(), x.len());
    if columns == 0 || x.dims().last() != Some(&columns) {
        let shapes = vec![x.dims().to_vec(), bias.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "add_bias", shapes });
    }
    let y = written("add_bias", x.device(), x.dims(), |gpu, y| {
        let operands = [y.into(), x.place()?.into(), bias.place()?.into(), len.into(), (columns as i32).into()];
        gpu.each("add_bias", len, &operands)
    })?;
    if !tape.records(&[x, bias]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let (of_x, of_bias) = (Slot::wanted(x), Slot::wanted(bias));
    tape.push(move |flow| {
        let gy = of_y.take()?;
        if let Some(of_bias) = of_bias {
            of_bias.add(flow, |gb| add_column_sums(gb, Place::of(&gy), len / columns, columns))?;
        }
        of_x.map_or(Ok(()), |of_x| of_x.give(flow, gy))
    });
    Ok(y)
}

/// Adds the sums of the columns of a matrix.
fn add_column_sums(to: Place, from: Place, rows: usize, columns: usize) -> Run<()> {
    let gpu = gpu()?;
    let splits = rows.div_ceil(256).clamp(1, 128);
    let parts = gpu.room_of::<f64>(splits * columns)?;
    let blocks = [columns.div_ceil(32), splits, 1];
    let operands = [Place::of(&parts).into(), from.into(), (rows as i32).into(), (columns as i32).into()];
    gpu.launch("column_sums", blocks, [32, 8], 0, &operands)?;
    let operands = [to.into(), Place::of(&parts).into(), (splits as i32).into(), (columns as i32).into()];
    gpu.each("add_parts", columns, &operands)
}
