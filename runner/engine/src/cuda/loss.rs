//! Losses.

use super::super::{Cuda, EngineError, Result, Tape, Tensor};
use super::buffer::{Slot, written};
use super::gpu::{Argument, Place, gpu};

/// Blocks that squared errors are summed in.
const PARTS: usize = 512;

/// See [`super::super::Kernels::cross_entropy`] and, where there is a `gamma`, [`super::super::Kernels::focal_loss`].
pub fn of_classes(
    tape: &mut Tape<Cuda>,
    logits: &Tensor<Cuda>,
    targets: &Tensor<Cuda>,
    gamma: Option<f64>,
) -> Result<Tensor<Cuda>> {
    let operation = if gamma.is_some() { "focal_loss" } else { "cross_entropy" };
    let (rows, classes) = match logits.dims() {
        &[rows, classes] if rows * classes > 0 && logits.dims() == targets.dims() => (rows, classes),
        _ => {
            let shapes = vec![logits.dims().to_vec(), targets.dims().to_vec()];
            return Err(EngineError::Shapes { operation, shapes });
        }
    };
    let kind: [Argument; 3] = [(classes as i32).into(), gamma.is_some().into(), gamma.unwrap_or(0.0).into()];
    let y = written(operation, logits.device(), &[], |gpu, y| {
        let losses = gpu.room_of::<f64>(rows)?;
        let places = [Place::of(&losses), logits.place()?, targets.place()?].map(Into::into);
        gpu.launch("class_loss", [rows, 1, 1], [256, 1], 0, &[&places[..], &kind].concat())?;
        let operands = [y.into(), Place::of(&losses).into(), (rows as i32).into(), 1.0_f64.into()];
        gpu.launch("total", [1; 3], [256, 1], 0, &operands)
    })?;
    if !tape.records(&[logits]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let of_logits = Slot::of(logits);
    let (logits, targets) = (logits.clone(), targets.clone());
    tape.push(move |flow| {
        let gy = of_y.take()?;
        of_logits.write(flow, |gradient, add| {
            let places = [gradient, Place::of(&gy), logits.place()?, targets.place()?].map(Into::into);
            let operands = [&places[..], &kind, &[add.into()]].concat();
            gpu()?.launch("class_loss_input", [rows, 1, 1], [256, 1], 0, &operands)
        })
    });
    Ok(y)
}

/// See [`super::super::Kernels::mean_squared_error`].
pub fn mean_squared_error(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, target: &Tensor<Cuda>) -> Result<Tensor<Cuda>> {
    if x.is_empty() || x.dims() != target.dims() {
        let shapes = vec![x.dims().to_vec(), target.dims().to_vec()];
        return Err(EngineError::Shapes { operation: "mean_squared_error", shapes });
    }
    let len = x.len();
    let y = written("mean_squared_error", x.device(), &[], |gpu, y| {
        let parts = gpu.room_of::<f64>(PARTS)?;
        let operands = [Place::of(&parts).into(), x.place()?.into(), target.place()?.into(), len.into()];
        gpu.launch("squared_errors", [PARTS, 1, 1], [256, 1], 0, &operands)?;
        let operands = [y.into(), Place::of(&parts).into(), (PARTS as i32).into(), (1.0 / len as f64).into()];
        gpu.launch("total", [1; 3], [256, 1], 0, &operands)
    })?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let of_x = Slot::of(x);
    let (x, target) = (x.clone(), target.clone());
    tape.push(move |flow| {
        let gy = of_y.take()?;
        of_x.write(flow, |gx, add| {
            let places = [gx, Place::of(&gy), x.place()?, target.place()?].map(Into::into);
            let operands = [&places[..], &[len.into(), add.into()]].concat();
            gpu()?.each("squared_errors_input", len, &operands)
        })
    });
    Ok(y)
}
