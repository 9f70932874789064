//! `clip_grad_value`: every value of a gradient is cut to a range. As torch's `clip_grad_value_`.
//! Unlike clipping by norm this changes the gradient's direction.

use crate::spec::{Path, Problem, Problems};

/// Notes a problem at `at` unless `limit` can be a greatest value.
pub fn check(limit: f64, at: &Path, problems: &mut Problems) {
    if !(limit > 0.0 && limit.is_finite()) {
        let problem = Problem::new(at.clone(), format!("{limit} cannot be the greatest value of a gradient"));
        problems.push(problem.help("expected a number above 0, such as 0.5"));
    }
}
