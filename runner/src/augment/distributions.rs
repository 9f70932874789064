//! Shares drawn at random: Beta and Dirichlet.

use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};

/// Notes a problem at `path` unless `alpha` is a parameter of a Beta or a Dirichlet.
pub fn check_alpha(alpha: f32, path: Path, problems: &mut Problems) {
    if !(alpha > 0.0 && alpha <= 1e6) {
        let problem = Problem::new(path, format!("{alpha} is no parameter of a Beta"));
        problems.push(problem.help("expected a number above 0, such as 0.2"));
    }
}

/// A number from `Beta(alpha, alpha)`, as the share of one of two Gamma numbers in their sum. They
/// are compared by logarithm: both underflow where `alpha` is small.
pub fn beta(alpha: f64, random: &mut Stream) -> f64 {
    let (a, b) = (log_gamma_variate(alpha, random), log_gamma_variate(alpha, random));
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a number from `Gamma(shape, 1)` (Marsaglia and Tsang 2000; for small shapes
/// `Gamma(shape) = Gamma(shape + 1) * U^(1 / shape)`).
fn log_gamma_variate(shape: f64, random: &mut Stream) -> f64 {
    let boost = (1.0 - f64::from(random.unit())).ln() / shape;
    let d = shape + 1.0 - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = f64::from(random.normal());
        let u = 1.0 - f64::from(random.unit());
        let v = (1.0 + c * z).powi(3);
        if v > 0.0 && u.ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return (d * v).ln() + boost;
        }
    }
}

/// `count` shares that sum to 1, from a Dirichlet whose parameters are all `alpha`.
pub fn dirichlet(alpha: f64, count: usize, random: &mut Stream) -> Vec<f64> {
    let logs: Vec<f64> = (0..count).map(|_| log_gamma_variate(alpha, random)).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - most).exp()).sum();
    logs.iter().map(|log| (log - most).exp() / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::stream;
    use super::*;

    #[test]
    fn beta_has_its_mean_and_variance() {
        for alpha in [0.01, 0.2, 1.0, 4.0] {
            let mut random = stream(1);
            let draws: Vec<f64> = (0..20_000).map(|_| beta(alpha, &mut random)).collect();
            assert!(draws.iter().all(|draw| (0.0..=1.0).contains(draw)));
            let mean = draws.iter().sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 20_000.0;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.012, "{alpha}: mean {mean}");
            assert!((variance - expected).abs() < 0.03 * expected, "{alpha}: variance {variance}, not {expected}");
        }
    }

    #[test]
    fn dirichlet_has_its_mean_and_variance() {
        for alpha in [0.01, 1.0, 5.0] {
            let mut random = stream(2);
            let draws: Vec<Vec<f64>> = (0..20_000).map(|_| dirichlet(alpha, 3, &mut random)).collect();
            assert!(draws.iter().all(|shares| (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9));
            let mean = draws.iter().map(|shares| shares[1]).sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|shares| (shares[1] - mean).powi(2)).sum::<f64>() / 20_000.0;
            // (1/3)(2/3) / (3 alpha + 1).
            let expected = 2.0 / 9.0 / (3.0 * alpha + 1.0);
            assert!((mean - 1.0 / 3.0).abs() < 0.012, "{alpha}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.04, "{alpha}: variance {variance}, not {expected}");
        }
    }
}
