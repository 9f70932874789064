//! Elementwise operations: activations, and sums with an activation after them.

use super::super::{Activation, Cuda, EngineError, Result, Tape, Tensor};
use super::buffer::{Slot, copy_or_add, written};
use super::gpu::{Place, Run, gpu};

/// The activation's number in common.cuh.
pub fn number(activation: Option<Activation>) -> i32 {
    match activation {
        None => 0,
        Some(Activation::Relu) => 1,
        Some(Activation::Relu6) => 2,
        Some(Activation::Silu) => 3,
        Some(Activation::Sigmoid) => 4,
        Some(Activation::Hardswish) => 5,
    }
}

/// See [`super::super::Kernels::activate`].
pub fn activate(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, activation: Activation) -> Result<Tensor<Cuda>> {
    let len = x.len();
    let y = written("activation", x.device(), x.dims(), |gpu, y| {
        gpu.each_four("activate", len, &[y.into(), x.place()?.into(), len.into(), number(Some(activation)).into()])
    })?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    // The output is kept by the layer after it as well, so that the input need not be kept at all.
    let kept = if slope_shows_in_value(activation) { y.clone() } else { x.clone() };
    let of_x = Slot::of(x);
    let (y, of_y) = y.recorded();
    tape.push(move |flow| {
        let gy = of_y.take()?;
        of_x.write(flow, |gx, add| steepen(gx, Place::of(&gy), kept.place()?, Place::NONE, len, activation, add))
    });
    Ok(y)
}

/// See [`super::super::Kernels::add`].
pub fn add(
    tape: &mut Tape<Cuda>,
    a: &Tensor<Cuda>,
    b: &Tensor<Cuda>,
    activation: Option<Activation>,
) -> Result<Tensor<Cuda>> {
    if a.dims() != b.dims() {
        return Err(EngineError::Shapes { operation: "add", shapes: vec![a.dims().to_vec(), b.dims().to_vec()] });
    }
    let len = a.len();
    let y = written("add", a.device(), a.dims(), |gpu, y| {
        let operands = [y.into(), a.place()?.into(), b.place()?.into(), len.into(), number(activation).into()];
        gpu.each_four("add_activate", len, &operands)
    })?;
    if !tape.records(&[a, b]) {
        return Ok(y);
    }
    let slots: Vec<Slot> = [a, b].into_iter().filter_map(Slot::wanted).collect();
    let kept = activation.map(|activation| {
        let kept = if slope_shows_in_value(activation) { (y.clone(), None) } else { (a.clone(), Some(b.clone())) };
        (activation, kept)
    });
    let (y, of_y) = y.recorded();
    tape.push(move |flow| {
        let gy = of_y.take()?;
        if let Some((activation, (z, b))) = kept {
            let b = b.as_ref().map_or(Ok(Place::NONE), Tensor::place)?;
            steepen(Place::of(&gy), Place::of(&gy), z.place()?, b, len, activation, false)?;
        }
        if let [slot, _] = &slots[..] {
            slot.write(flow, |g, add| copy_or_add(g, Place::of(&gy), len, add))?;
        }
        slots.last().map_or(Ok(()), |slot| slot.give(flow, gy))
    });
    Ok(y)
}

/// Whether the slope at a value is that at its argument: it is for those that only cut.
fn slope_shows_in_value(activation: Activation) -> bool {
    matches!(activation, Activation::Relu | Activation::Relu6)
}

/// `to = g * slope(z + b)`, or adds it.
fn steepen(to: Place, g: Place, z: Place, b: Place, len: usize, activation: Activation, add: bool) -> Run<()> {
    let operands = [to.into(), g.into(), z.into(), b.into(), len.into(), number(Some(activation)).into(), add.into()];
    gpu()?.each_four("steepen", len, &operands)
}
