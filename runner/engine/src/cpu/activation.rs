//! Elementwise operations: activations, and sums with an activation after them.

use super::super::{Activation, Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;
use super::curve::{Curve, with_curve};
use super::split::{self, ELEMENTS};
use super::wide::wide;

/// See [`super::super::Kernels::activate`].
pub fn activate(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, activation: Activation) -> Result<Tensor<Cpu>> {
    let y = Tensor::written(x.device(), x.dims(), |y| {
        with_curve!(Some(activation), C => apply::<C>(x.values(), y));
    })?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    // The output is kept by the layer after it as well, so that the input need not be kept at all.
    let kept = if slope_shows_in_value(activation) { y.clone() } else { x.clone() };
    let of_x = Slot::of(x);
    let (y, of_y) = y.recorded();
    tape.push(move |flow| {
        let mut g = of_y.take(flow)?;
        with_curve!(Some(activation), C => steepen::<C>(kept.values(), &mut g));
        of_x.give(flow, g)
    });
    Ok(y)
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
    let y = Tensor::written(a.device(), a.dims(), |y| {
        with_curve!(activation, C => apply_to_sum::<C>(a.values(), b.values(), y));
    })?;
    if !tape.records(&[a, b]) {
        return Ok(y);
    }
    let slots: Vec<Slot> = [a, b].into_iter().filter_map(Slot::wanted).collect();
    let (y, of_y) = y.recorded();
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
        if let [slot, _] = &slots[..] {
            slot.write(flow, |g, add| if add { split::add_into(g, &gy) } else { split::copy_into(g, &gy) })?;
        }
        slots.last().map_or(Ok(()), |slot| slot.give(flow, gy))
    });
    Ok(y)
}

/// Whether the slope at a value is that at its argument: it is for those that only cut.
fn slope_shows_in_value(activation: Activation) -> bool {
    matches!(activation, Activation::Relu | Activation::Relu6)
}

/// Multiplies a gradient by the slope at `z`.
fn steepen<C: Curve>(z: &[f32], g: &mut [f32]) {
    split::chunks(g, ELEMENTS, |number, g| {
        let z = &z[number * ELEMENTS..][..g.len()];
        wide!(g.iter_mut().zip(z).for_each(|(g, &z)| *g *= C::slope(z)));
    });
}

fn apply<C: Curve>(x: &[f32], y: &mut [f32]) {
    split::chunks(y, ELEMENTS, |number, y| {
        let x = &x[number * ELEMENTS..][..y.len()];
        wide!(y.iter_mut().zip(x).for_each(|(y, &x)| *y = C::value(x)));
    });
}

fn apply_to_sum<C: Curve>(a: &[f32], b: &[f32], y: &mut [f32]) {
    split::chunks(y, ELEMENTS, |number, y| {
        let (a, b) = (&a[number * ELEMENTS..][..y.len()], &b[number * ELEMENTS..][..y.len()]);
        wide!(y.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (&a, &b))| *y = C::value(a + b)));
    });
}

/// Multiplies a gradient by the slope at `a + b`.
fn steepen_by_sum<C: Curve>(a: &[f32], b: &[f32], g: &mut [f32]) {
    split::chunks(g, ELEMENTS, |number, g| {
        let (a, b) = (&a[number * ELEMENTS..][..g.len()], &b[number * ELEMENTS..][..g.len()]);
        wide!(g.iter_mut().zip(a.iter().zip(b)).for_each(|(g, (&a, &b))| *g *= C::slope(a + b)));
    });
}
