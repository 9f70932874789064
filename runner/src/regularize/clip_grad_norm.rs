//! `clip_grad_norm`: gradients are scaled down together when their norm is too great, so that one
//! bad batch cannot throw the net far off (Pascanu et al. 2013, "On the difficulty of training
//! recurrent neural networks"). As torch's `clip_grad_norm_` with the Euclidean norm over all
//! parameters that train.

use crate::spec::{Path, Problem, Problems};

/// Notes a problem at `at` unless `max_norm` can be a greatest norm.
pub fn check(max_norm: f64, at: &Path, problems: &mut Problems) {
    if !(max_norm > 0.0 && max_norm.is_finite()) {
        let problem = Problem::new(at.clone(), format!("{max_norm} cannot be the greatest norm of the gradients"));
        problems.push(problem.help("expected a number above 0, such as 1.0"));
    }
}

/// What gradients of this norm are multiplied by: `max_norm / (norm + 1e-6)`, and 1 at most. The
/// small number is torch's. A norm that is not finite gives a factor that is 0 or not a number:
/// look for it before.
pub fn factor(norm: f64, max_norm: f64) -> f64 {
    let factor = max_norm / (norm + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_long_is_shortened() {
        assert!((factor(0.5, 1.0) - 1.0).abs() < f64::EPSILON);
        assert!((factor(0.0, 1.0) - 1.0).abs() < f64::EPSILON);
        assert!((factor(4.0, 1.0) * 4.0 - 1.0).abs() < 1e-6);
        assert!(factor(f64::NAN, 1.0).is_nan(), "a broken gradient is not hidden");
    }
}
