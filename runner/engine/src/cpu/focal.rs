//! Focal loss of logits against a distribution.

use super::super::{Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;
use super::cross_entropy::log_sum_exp;

/// See [`super::super::Kernels::focal_loss`]. Computed in `f64`, as the cross-entropy is.
pub fn focal_loss(
    tape: &mut Tape<Cpu>,
    logits: &Tensor<Cpu>,
    targets: &Tensor<Cpu>,
    gamma: f64,
) -> Result<Tensor<Cpu>> {
    let classes = match logits.dims() {
        &[_, classes] if classes > 0 && logits.dims() == targets.dims() => classes,
        _ => {
            let shapes = vec![logits.dims().to_vec(), targets.dims().to_vec()];
            return Err(EngineError::Shapes { operation: "focal_loss", shapes });
        }
    };
    let rows = logits.values().chunks_exact(classes).zip(targets.values().chunks_exact(classes));
    let loss: f64 = rows.map(|(logits, targets)| row_loss(logits, targets, gamma)).sum();
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
                add_gradient(gradient, logits, targets, gamma, gy);
            }
        })
    });
    Ok(y)
}

fn row_loss(logits: &[f32], targets: &[f32], gamma: f64) -> f64 {
    let normalizer = log_sum_exp(logits);
    // A class without weight adds nothing, not even when its logit is infinite.
    let terms = logits.iter().zip(targets).filter(|&(_, &target)| target != 0.0);
    let term = |(&logit, &target): (&f32, &f32)| {
        let log_p = f64::from(logit) - normalizer;
        -f64::from(target) * missed(log_p).powf(gamma) * log_p
    };
    terms.map(term).sum()
}

/// With `h_c = p_c * d/dp_c of -(1 - p_c)^gamma * ln p_c`, the slope at logit k is
/// `t_k * h_k - p_k * sum over c of t_c * h_c`.
fn add_gradient(gradient: &mut [f32], logits: &[f32], targets: &[f32], gamma: f64, gy: f64) {
    let normalizer = log_sum_exp(logits);
    let pull = |(&logit, &target): (&f32, &f32)| {
        if target == 0.0 { 0.0 } else { f64::from(target) * slope(f64::from(logit) - normalizer, gamma) }
    };
    let pulls: Vec<f64> = logits.iter().zip(targets).map(pull).collect();
    let sum: f64 = pulls.iter().sum();
    for (gradient, (&logit, pull)) in gradient.iter_mut().zip(logits.iter().zip(pulls)) {
        let probability = (f64::from(logit) - normalizer).exp();
        *gradient += (gy * (pull - probability * sum)) as f32;
    }
}

/// `gamma * p * (1 - p)^(gamma - 1) * ln p - (1 - p)^gamma`
fn slope(log_p: f64, gamma: f64) -> f64 {
    let missed = missed(log_p);
    // Where p is 1 the first term goes to 0, and its factors to an infinity and to 0.
    let first =
        if missed == 0.0 || gamma == 0.0 { 0.0 } else { gamma * log_p.exp() * missed.powf(gamma - 1.0) * log_p };
    first - missed.powf(gamma)
}

/// `1 - p`, exact where p is close to 1.
fn missed(log_p: f64) -> f64 {
    -log_p.exp_m1()
}
