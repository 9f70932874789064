//! What is added to gradients besides the loss's, what is done to weights after a step, and averages
//! of them.

use super::super::{Cpu, Gradients, Pull, Result, Tensor};
use super::split::ELEMENTS;
use super::update::of;
use super::wide::wide;
use rayon::prelude::*;

/// See [`super::super::Kernels::pull`].
pub fn pull(pull: &Pull<'_, Cpu>, gradients: &mut Gradients<Cpu>, tensor: &Tensor<Cpu>) -> Result<()> {
    let (square, absolute) = (pull.square as f32, pull.absolute as f32);
    let gradient = of(gradients, tensor)?.par_chunks_mut(ELEMENTS).zip(tensor.values().par_chunks(ELEMENTS));
    match pull.towards {
        None => gradient.for_each(|(gradient, values)| {
            wide!({
                gradient.iter_mut().zip(values).for_each(|(g, &w)| *g += square * w + absolute * sign(w));
            });
        }),
        Some(towards) => {
            gradient.zip(towards.values().par_chunks(ELEMENTS)).for_each(|((gradient, values), towards)| {
                wide!({
                    for (g, (&w, &to)) in gradient.iter_mut().zip(values.iter().zip(towards)) {
                        *g += square * (w - to) + absolute * sign(w - to);
                    }
                });
            });
        }
    }
    Ok(())
}

/// -1, 0 or 1.
fn sign(value: f32) -> f32 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// See [`super::super::Kernels::add_to_gradient`].
pub fn add_to_gradient(gradients: &mut Gradients<Cpu>, tensor: &Tensor<Cpu>, values: &Tensor<Cpu>) -> Result<()> {
    super::split::add_into(of(gradients, tensor)?, values.values());
    Ok(())
}

/// See [`super::super::Kernels::limit_norms`].
pub fn limit_norms(tensor: &mut Tensor<Cpu>, bound: f64) {
    let columns = tensor.dims().last().copied().unwrap_or(1).max(1);
    let mut squares = vec![0.0_f64; columns];
    for row in tensor.values().chunks_exact(columns) {
        squares.iter_mut().zip(row).for_each(|(square, &w)| *square += f64::from(w) * f64::from(w));
    }
    let factors: Vec<f32> =
        squares.iter().map(|square| if square.sqrt() > bound { (bound / square.sqrt()) as f32 } else { 1.0 }).collect();
    if factors.iter().all(|&factor| factor == 1.0) {
        return;
    }
    for row in tensor.values_mut().chunks_exact_mut(columns) {
        row.iter_mut().zip(&factors).for_each(|(w, factor)| *w *= factor);
    }
}

/// See [`super::super::Kernels::approach`].
pub fn approach(average: &mut Tensor<Cpu>, tensor: &Tensor<Cpu>, share: f64) {
    let share = share as f32;
    let chunks = average.values_mut().par_chunks_mut(ELEMENTS).zip(tensor.values().par_chunks(ELEMENTS));
    chunks.for_each(|(average, values)| {
        wide!(average.iter_mut().zip(values).for_each(|(a, &w)| *a += share * (w - *a)));
    });
}
