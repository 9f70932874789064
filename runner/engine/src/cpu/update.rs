//! Steps of the optimizers, and what is done to gradients before them.

use super::super::{AdamWStep, Cpu, EngineError, Gradients, Result, SgdStep, Tensor};
use super::split::{self, ELEMENTS};
use super::wide::wide;
use rayon::prelude::*;

/// See [`super::super::Kernels::sgd_step`].
pub fn sgd_step(
    step: &SgdStep,
    param: &mut Tensor<Cpu>,
    velocity: &mut Tensor<Cpu>,
    gradients: &mut Gradients<Cpu>,
) -> Result<()> {
    let gradient = of(gradients, param)?;
    let [lr, momentum, decay] = [step.lr, step.momentum, step.weight_decay].map(|number| number as f32);
    let (with_momentum, nesterov) = (step.momentum != 0.0, step.nesterov);
    let chunks = param.values_mut().par_chunks_mut(ELEMENTS);
    let chunks = chunks.zip(velocity.values_mut().par_chunks_mut(ELEMENTS)).zip(gradient.par_chunks(ELEMENTS));
    chunks.for_each(|((param, velocity), gradient)| {
        wide!({
            for ((p, v), g) in param.iter_mut().zip(velocity).zip(gradient) {
                let g = g + decay * *p;
                let direction = if with_momentum {
                    *v = momentum * *v + g;
                    if nesterov { g + momentum * *v } else { *v }
                } else {
                    g
                };
                *p -= lr * direction;
            }
        });
    });
    Ok(())
}

/// See [`super::super::Kernels::adamw_step`].
pub fn adamw_step(
    step: &AdamWStep,
    number: i32,
    param: &mut Tensor<Cpu>,
    first: &mut Tensor<Cpu>,
    second: &mut Tensor<Cpu>,
    gradients: &mut Gradients<Cpu>,
) -> Result<()> {
    let gradient = of(gradients, param)?;
    let [correction, root_correction] = step.corrections(number);
    let keep = (1.0 - step.lr * step.weight_decay) as f32;
    let [keep_first, keep_second] = step.betas.map(|beta| beta as f32);
    let [take_first, take_second] = step.betas.map(|beta| (1.0 - beta) as f32);
    let (size, root_correction, eps) = ((step.lr / correction) as f32, root_correction as f32, step.eps as f32);
    let chunks = param.values_mut().par_chunks_mut(ELEMENTS).zip(gradient.par_chunks(ELEMENTS));
    let moments = first.values_mut().par_chunks_mut(ELEMENTS).zip(second.values_mut().par_chunks_mut(ELEMENTS));
    chunks.zip(moments).for_each(|((param, gradient), (first, second))| {
        wide!({
            for ((p, g), (m, v)) in param.iter_mut().zip(gradient).zip(first.iter_mut().zip(second)) {
                *m = keep_first * *m + take_first * g;
                *v = keep_second * *v + take_second * g * g;
                *p = *p * keep - size * *m / (v.sqrt() / root_correction + eps);
            }
        });
    });
    Ok(())
}

/// See [`super::super::Kernels::gradient_norm_squared`].
pub fn gradient_norm_squared(gradients: &mut Gradients<Cpu>, tensor: &Tensor<Cpu>) -> Result<f64> {
    let gradient = of(gradients, tensor)?;
    let parts = split::map(gradient.len(), usize::MAX, ELEMENTS, |range| {
        gradient[range].iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>()
    });
    Ok(parts.into_iter().sum())
}

/// See [`super::super::Kernels::scale_gradient`].
pub fn scale_gradient(gradients: &mut Gradients<Cpu>, tensor: &Tensor<Cpu>, factor: f32) -> Result<()> {
    split::chunks(of(gradients, tensor)?, ELEMENTS, |_, values| values.iter_mut().for_each(|value| *value *= factor));
    Ok(())
}

/// See [`super::super::Kernels::clip_gradient`].
pub fn clip_gradient(gradients: &mut Gradients<Cpu>, tensor: &Tensor<Cpu>, limit: f32) -> Result<()> {
    let limit = limit.abs();
    split::chunks(of(gradients, tensor)?, ELEMENTS, |_, values| {
        for value in values {
            // Written so that NaN stays NaN.
            let high = if *value > limit { limit } else { *value };
            *value = if high < -limit { -limit } else { high };
        }
    });
    Ok(())
}

/// See [`super::super::Kernels::all_finite`].
pub fn all_finite(tensor: &Tensor<Cpu>) -> bool {
    tensor.values().par_chunks(ELEMENTS).all(|values| values.iter().all(|value| value.is_finite()))
}

/// A tensor's gradient, in place.
pub fn of<'a>(gradients: &'a mut Gradients<Cpu>, tensor: &Tensor<Cpu>) -> Result<&'a mut [f32]> {
    let storage = gradients.inner().get_or_alloc_mut(tensor.flat()).map_err(EngineError::device("gradient"))?;
    Ok(storage.as_mut_slice())
}
