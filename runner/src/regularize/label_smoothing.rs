//! `label_smoothing`: some of each target's probability is spread over all classes, so that the net
//! is not driven to certainty (Szegedy et al. 2016, "Rethinking the Inception architecture").

use crate::spec::{Path, Problem, Problems};

/// Notes a problem at `at` unless `smoothing` is in [0, 1).
pub fn check(smoothing: f32, at: &Path, problems: &mut Problems) {
    if !(0.0..1.0).contains(&smoothing) {
        let problem = Problem::new(at.clone(), format!("{smoothing} is no share that can be spread"));
        problems.push(problem.help("expected a number from 0 and below 1, such as 0.1"));
    }
}

/// A class's probability, smoothed: `(1 - smoothing) * probability + smoothing / classes`. Rows that
/// summed to 1 still do.
pub fn smoothed(probability: f64, smoothing: f64, classes: usize) -> f64 {
    (1.0 - smoothing) * probability + smoothing / classes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_still_sums_to_one_and_its_class_leads() {
        let row = [0.0, 1.0, 0.0, 0.0].map(|probability| smoothed(probability, 0.1, 4));
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((row[1] - 0.925).abs() < 1e-12 && (row[0] - 0.025).abs() < 1e-12);
    }

    #[test]
    fn everything_cannot_be_spread() {
        for (smoothing, count) in [(0.0, 0), (0.99, 0), (1.0, 1), (-0.1, 1), (f32::NAN, 1)] {
            let mut problems = Problems::default();
            check(smoothing, &Path::of("a"), &mut problems);
            assert_eq!(problems.0.len(), count, "{smoothing}");
        }
    }
}
