//! Joining along channels.

use super::super::{Cuda, EngineError, Result, Tape, Tensor};
use super::buffer::{Slot, written};
use super::gpu::{Gpu, Place, Run, gpu};

/// Some columns of a matrix.
#[derive(Clone, Copy)]
pub struct Columns {
    /// Where the matrix is.
    pub place: Place,
    /// Of the matrix.
    pub width: usize,
    /// The first of them.
    pub begin: usize,
}

/// See [`super::super::Kernels::concat`].
pub fn concat(tape: &mut Tape<Cuda>, parts: &[Tensor<Cuda>]) -> Result<Tensor<Cuda>> {
    let misfit =
        || EngineError::Shapes { operation: "concat", shapes: parts.iter().map(|part| part.dims().to_vec()).collect() };
    let (_, outer) = parts.first().and_then(|part| part.dims().split_last()).ok_or_else(misfit)?;
    let widths = parts.iter().map(|part| match part.dims().split_last() {
        Some((&width, dims)) if dims == outer => Ok(width),
        _ => Err(misfit()),
    });
    let widths = widths.collect::<Result<Vec<usize>>>()?;
    let (total, rows): (usize, usize) = (widths.iter().sum(), outer.iter().product());
    let dims: Vec<usize> = outer.iter().copied().chain([total]).collect();
    let device = parts.first().ok_or_else(misfit)?.device();
    let y = written("concat", device, &dims, |gpu, y| {
        let mut begin = 0;
        for (part, &width) in parts.iter().zip(&widths) {
            let from = Columns { place: part.place()?, width, begin: 0 };
            move_columns(gpu, Columns { place: y, width: total, begin }, from, rows, width, false)?;
            begin += width;
        }
        Ok(())
    })?;
    let operands: Vec<&Tensor<Cuda>> = parts.iter().collect();
    if !tape.records(&operands) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let slots: Vec<Option<Slot>> = parts.iter().map(Slot::wanted).collect();
    tape.push(move |flow| {
        let (gpu, gy) = (gpu()?, of_y.take()?);
        let mut begin = 0;
        for (slot, width) in slots.iter().zip(widths) {
            if let Some(slot) = slot {
                let from = Columns { place: Place::of(&gy), width: total, begin };
                slot.write(flow, |gx, add| {
                    move_columns(gpu, Columns { place: gx, width, begin: 0 }, from, rows, width, add)
                })?;
            }
            begin += width;
        }
        Ok(())
    });
    Ok(y)
}

/// Writes `width` columns to others, or adds them.
pub fn move_columns(gpu: &Gpu, to: Columns, from: Columns, rows: usize, width: usize, add: bool) -> Run<()> {
    let numbers = |columns: Columns| [columns.width, columns.begin].map(|number| (number as i32).into());
    let (len, width) = (rows * width, (width as i32).into());
    let (of_to, of_from) = (numbers(to), numbers(from));
    let operands = [&[to.place.into()][..], &of_to, &[from.place.into()], &of_from, &[width, len.into(), add.into()]];
    gpu.each("move_columns", len, &operands.concat())
}
