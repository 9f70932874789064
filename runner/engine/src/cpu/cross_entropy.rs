//! Cross-entropy of logits against a distribution.

use super::super::{Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;

/// See [`super::super::Kernels::cross_entropy`]. Computed in `f64`: it is a small share of a step,
/// and the one number that everybody looks at.
pub fn cross_entropy(tape: &mut Tape<Cpu>, logits: &Tensor<Cpu>, targets: &Tensor<Cpu>) -> Result<Tensor<Cpu>> {
    let classes = match logits.dims() {
        &[_, classes] if classes > 0 && logits.dims() == targets.dims() => classes,
        _ => {
            let shapes = vec![logits.dims().to_vec(), targets.dims().to_vec()];
            return Err(EngineError::Shapes { operation: "cross_entropy", shapes });
        }
    };
    let rows = logits.values().chunks_exact(classes).zip(targets.values().chunks_exact(classes));
    let loss: f64 = rows.map(|(logits, targets)| row_loss(logits, targets)).sum();
    let y = Tensor::from_vec(logits.device(), vec![loss as f32], &[])?;
    if !tape.records(&[logits]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let of_logits = Slot::of(logits);
    let (logits, targets) = (logits.clone(), targets.clone());
    tape.push(move |flow| {
        let gy = f64::from(of_y.take(flow)?.first().copied().unwrap_or(0.0));
        let rows = logits.values().chunks_exact(classes).zip(targets.values().chunks_exact(classes));
        of_logits.add(flow, |gradient| {
            for (gradient, (logits, targets)) in gradient.chunks_exact_mut(classes).zip(rows) {
                let normalizer = log_sum_exp(logits);
                let mass: f64 = targets.iter().map(|&target| f64::from(target)).sum();
                for (gradient, (&logit, &target)) in gradient.iter_mut().zip(logits.iter().zip(targets)) {
                    let probability = (f64::from(logit) - normalizer).exp();
                    *gradient += (gy * (probability * mass - f64::from(target))) as f32;
                }
            }
        })
    });
    Ok(y)
}

fn row_loss(logits: &[f32], targets: &[f32]) -> f64 {
    let normalizer = log_sum_exp(logits);
    // A class without weight adds nothing, not even when its logit is infinite.
    let terms = logits.iter().zip(targets).filter(|&(_, &target)| target != 0.0);
    terms.map(|(&logit, &target)| f64::from(target) * (normalizer - f64::from(logit))).sum()
}

/// `ln(sum of e^x)`; NaN when any value is NaN.
pub fn log_sum_exp(values: &[f32]) -> f64 {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let largest = if largest.is_finite() { f64::from(largest) } else { 0.0 };
    largest + values.iter().map(|&value| (f64::from(value) - largest).exp()).sum::<f64>().ln()
}
