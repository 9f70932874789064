//! Elementwise operations: activations, and sums with an activation after them.

use super::super::{Activation, Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;
use super::curve::{Curve, with_curve};
use super::split::{self, ELEMENTS};
use super::wide::wide;

/// See [`super::super::Kernels::activate`].
pub fn activate(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, activation: Activation) -> Result<Tensor<Cpu>> {
    let y = Tensor::filled(x.device(), x.dims(), |y| {
        with_curve!(Some(activation), C => apply::<C>(x.values(), y));
    })?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    // The output is kept by the layer after it as well, so that the input need not be kept at all.
    let kept = if slope_shows_in_value(activation) { y.clone() } else { x.clone() };
    let (of_y, of_x) = (Slot::of(&y), Slot::of(x));
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        let gx = of_x.get(flow)?;
        with_curve!(Some(activation), C => add_gradient::<C>(kept.values(), &gy, gx));
        Ok(())
    });
    Ok(y.wanting_grad(true))
}

/// See [`super::super::Kernels::add`].
pub fn add(
    tape: &mut Tape<Cpu>,
    a: &Tensor<Cpu>,
    b: &Tensor<Cpu>,
    activation: Option<Activation>,
) -> Result<Tensor<Cpu>> {
    if a.dims() != b.dims() {
        return Err(EngineError::Shapes { operation: "add", shapes: vec![a.dims().to_vec(), b.dims().to_vec()] });
    }
    let y = Tensor::filled(a.device(), a.dims(), |y| {
        with_curve!(activation, C => apply_to_sum::<C>(a.values(), b.values(), y));
    })?;
    if !tape.records(&[a, b]) {
        return Ok(y);
    }
    let (of_y, slots) = (Slot::of(&y), [Slot::wanted(a), Slot::wanted(b)]);
    let kept = activation.map(|activation| {
        let kept = if slope_shows_in_value(activation) { (y.clone(), None) } else { (a.clone(), Some(b.clone())) };
        (activation, kept)
    });
    tape.push(move |flow| {
        let mut gy = of_y.take(flow)?;
        match kept {
            Some((activation, (a, Some(b)))) => {
                with_curve!(Some(activation), C => steepen_by_sum::<C>(a.values(), b.values(), &mut gy));
            }
            Some((activation, (y, None))) => with_curve!(Some(activation), C => steepen::<C>(y.values(), &mut gy)),
            None => {}
        }
        for slot in slots.into_iter().flatten() {
            split::add_into(slot.get(flow)?, &gy);
        }
        Ok(())
    });
    Ok(y.wanting_grad(true))
}

/// Whether the slope at a value is that at its argument: it is for those that only cut.
fn slope_shows_in_value(activation: Activation) -> bool {
    matches!(activation, Activation::Relu | Activation::Relu6)
}

/// Multiplies a gradient by the slope at `z`.
fn steepen<C: Curve>(z: &[f32], g: &mut [f32]) {
    split::chunks(g, ELEMENTS, |number, g| {
        let z = &z[number * ELEMENTS..][..g.len()];
        wide(|| g.iter_mut().zip(z).for_each(|(g, &z)| *g *= C::slope(z)));
    });
}

fn apply<C: Curve>(x: &[f32], y: &mut [f32]) {
    split::chunks(y, ELEMENTS, |number, y| {
        let x = &x[number * ELEMENTS..][..y.len()];
        wide(|| y.iter_mut().zip(x).for_each(|(y, &x)| *y = C::value(x)));
    });
}

fn add_gradient<C: Curve>(x: &[f32], gy: &[f32], gx: &mut [f32]) {
    split::chunks(gx, ELEMENTS, |number, gx| {
        let (x, gy) = (&x[number * ELEMENTS..][..gx.len()], &gy[number * ELEMENTS..][..gx.len()]);
        wide(|| gx.iter_mut().zip(x.iter().zip(gy)).for_each(|(gx, (&x, &gy))| *gx += gy * C::slope(x)));
    });
}

fn apply_to_sum<C: Curve>(a: &[f32], b: &[f32], y: &mut [f32]) {
    split::chunks(y, ELEMENTS, |number, y| {
        let (a, b) = (&a[number * ELEMENTS..][..y.len()], &b[number * ELEMENTS..][..y.len()]);
        wide(|| y.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (&a, &b))| *y = C::value(a + b)));
    });
}

/// Multiplies a gradient by the slope at `a + b`.
fn steepen_by_sum<C: Curve>(a: &[f32], b: &[f32], g: &mut [f32]) {
    split::chunks(g, ELEMENTS, |number, g| {
        let (a, b) = (&a[number * ELEMENTS..][..g.len()], &b[number * ELEMENTS..][..g.len()]);
        wide(|| g.iter_mut().zip(a.iter().zip(b)).for_each(|(g, (&a, &b))| *g *= C::slope(a + b)));
    });
}
