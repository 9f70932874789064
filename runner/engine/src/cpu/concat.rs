//! Joining along channels.

use super::super::{Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;
use super::split;

/// See [`super::super::Kernels::concat`].
pub fn concat(tape: &mut Tape<Cpu>, parts: &[Tensor<Cpu>]) -> Result<Tensor<Cpu>> {
    let misfit =
        || EngineError::Shapes { operation: "concat", shapes: parts.iter().map(|part| part.dims().to_vec()).collect() };
    let (_, outer) = parts.first().and_then(|part| part.dims().split_last()).ok_or_else(misfit)?;
    let widths = parts.iter().map(|part| match part.dims().split_last() {
        Some((&width, dims)) if dims == outer => Ok(width),
        _ => Err(misfit()),
    });
    let widths = widths.collect::<Result<Vec<usize>>>()?;
    let total: usize = widths.iter().sum();
    let dims: Vec<usize> = outer.iter().copied().chain([total]).collect();
    let device = parts.first().ok_or_else(misfit)?.device();
    let y = Tensor::written(device, &dims, |y| {
        let values: Vec<&[f32]> = parts.iter().map(Tensor::values).collect();
        split::rows(y, total, |first, y| {
            for (row, y) in y.chunks_exact_mut(total.max(1)).enumerate() {
                let mut rest = y;
                for (values, &width) in values.iter().zip(&widths) {
                    let (own, others) = rest.split_at_mut(width);
                    own.copy_from_slice(&values[(first + row) * width..][..width]);
                    rest = others;
                }
            }
        });
    })?;
    let operands: Vec<&Tensor<Cpu>> = parts.iter().collect();
    if !tape.records(&operands) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let slots: Vec<Option<Slot>> = parts.iter().map(Slot::wanted).collect();
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        let mut start = 0;
        for (slot, width) in slots.iter().zip(widths) {
            if let Some(slot) = slot {
                slot.write(flow, |gx, add| columns(gx, &gy, total, start, width, add))?;
            }
            start += width;
        }
        Ok(())
    });
    Ok(y)
}

/// Writes `width` columns of `gy` from `start` on to `gx`, or adds them.
fn columns(gx: &mut [f32], gy: &[f32], total: usize, start: usize, width: usize, add: bool) {
    split::rows(gx, width, |first, gx| {
        for (row, gx) in gx.chunks_exact_mut(width.max(1)).enumerate() {
            let gy = &gy[(first + row) * total + start..][..width];
            if add {
                gx.iter_mut().zip(gy).for_each(|(gx, gy)| *gx += gy);
            } else {
                gx.copy_from_slice(gy);
            }
        }
    });
}
