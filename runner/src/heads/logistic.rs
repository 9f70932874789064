//! `logistic`.

use super::fitted::Minimum;
use super::vector::{add, dot, inner};
use super::{LinearMap, Samples, lbfgs};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Multinomial logistic regression over the features: the linear layer minimizes the cross-entropy of
/// the softmax with L2 regularization, `c · Σ cross-entropy + 1/2 |w|²`, the bias not regularized.
///
/// As scikit-learn's `LogisticRegression`. Solved by L-BFGS (Liu and Nocedal 1989). `class_weights` of
/// `regularization` say how many times a sample counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Logistic {
    /// How much the cross-entropy of a sample counts against small weights: large fits the samples,
    /// small keeps the weights small.
    pub c: f64,
    /// The solver stops when no component of the gradient is larger, the objective being divided by `c`
    /// and by the number of samples (scikit-learn's `tol`).
    pub tolerance: f64,
    /// Steps of the solver after which it stops anyhow; the run says so.
    pub max_iterations: usize,
    /// Whether features are brought to mean 0 and standard deviation 1 first. The linear layer has that
    /// folded in: it takes features as they are.
    pub standardize: bool,
}

impl Default for Logistic {
    fn default() -> Self {
        Logistic { c: 1.0, tolerance: 1e-4, max_iterations: 1000, standardize: true }
    }
}

/// Samples that one thread takes at a time. Sums are made of sums over these, so their number must not
/// depend on the machine.
const CHUNK: usize = 256;

impl Logistic {
    /// Solves the problem. The objective is `c · Σ cross-entropy + 1/2 |w|²`.
    pub(super) fn solve(&self, samples: &Samples) -> Minimum {
        let problem = Problem::new(self, samples);
        let start = vec![0.0; samples.classes * (samples.width + 1)];
        let found = lbfgs::minimize(|at| problem.at(at), start, self.tolerance, self.max_iterations);
        Minimum {
            objective: found.value * self.c * problem.total,
            iterations: found.iterations,
            converged: found.converged,
            map: problem.map(&found.at),
        }
    }
}

/// The objective divided by `c` and by the sum of the weights, so that a tolerance means the same for
/// any number of samples. Its variables are the weights (classes, features), then the biases.
struct Problem<'a> {
    samples: &'a Samples,
    total: f64,
    /// Before `1/2 |w|²`.
    decay: f64,
}

impl<'a> Problem<'a> {
    fn new(logistic: &Logistic, samples: &'a Samples) -> Self {
        let total: f64 = samples.weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        Problem { samples, total, decay: 1.0 / (logistic.c * total) }
    }

    fn weights(&self) -> usize {
        self.samples.classes * self.samples.width
    }

    fn map(&self, at: &[f64]) -> LinearMap {
        let (weights, bias) = at.split_at(self.weights());
        LinearMap { weights: weights.to_vec(), bias: bias.to_vec() }
    }

    /// Value and gradient.
    fn at(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let count = self.samples.labels.len();
        let chunk = |start: usize| self.chunk(at, start..(start + CHUNK).min(count));
        let starts: Vec<usize> = (0..count).step_by(CHUNK).collect();
        let chunks: Vec<(f64, Vec<f64>)> = starts.into_par_iter().map(chunk).collect();
        let weights = &at[..self.weights()];
        let mut value = 0.5 * self.decay * inner(weights, weights);
        let mut gradient: Vec<f64> = weights.iter().map(|weight| self.decay * weight).collect();
        gradient.resize(at.len(), 0.0);
        for (part, of_part) in chunks {
            value += part / self.total;
            for (sum, component) in gradient.iter_mut().zip(of_part) {
                *sum += component / self.total;
            }
        }
        (value, gradient)
    }

    /// Cross-entropy and its gradient, summed over some samples.
    fn chunk(&self, at: &[f64], samples: std::ops::Range<usize>) -> (f64, Vec<f64>) {
        let width = self.samples.width;
        let (weights, bias) = at.split_at(self.weights());
        let (mut value, mut gradient) = (0.0, vec![0.0; at.len()]);
        for sample in samples {
            let (row, label, counts) =
                (self.samples.row(sample), self.samples.labels[sample], self.samples.weights[sample]);
            let outputs = (0..bias.len()).map(|k| dot(row, &weights[k * width..(k + 1) * width]) + bias[k]);
            let mut outputs: Vec<f64> = outputs.collect();
            let top = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let of_label = outputs[label] - top;
            for output in &mut outputs {
                *output = (*output - top).exp();
            }
            let sum: f64 = outputs.iter().sum();
            value += counts * (sum.ln() - of_label);
            for (k, exponential) in outputs.iter().enumerate() {
                let slope = counts * (exponential / sum - f64::from(u8::from(k == label)));
                add(&mut gradient[k * width..(k + 1) * width], slope, row);
                gradient[self.samples.classes * width + k] += slope;
            }
        }
        (value, gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{clouds, samples};
    use super::*;

    fn exact(c: f64) -> Logistic {
        Logistic { c, tolerance: 1e-10, max_iterations: 1000, standardize: false }
    }

    /// Features that say nothing: the biases are the logarithms of the classes' shares.
    #[test]
    fn without_information_the_shares_of_the_classes_are_learnt() {
        let map = exact(1.0).solve(&samples(&[0.0; 8], 1, &[0, 0, 0, 0, 0, 1, 1, 2], 3)).map;
        let relative = |k: usize| map.bias[k] - map.bias[2];
        assert!((relative(0) - 5.0_f64.ln()).abs() < 1e-8 && (relative(1) - 2.0_f64.ln()).abs() < 1e-8);
    }

    /// Two samples at 1 and -1: by symmetry one weight u is left, and 0 = u - 2 c σ(-2u).
    #[test]
    fn the_optimum_of_two_samples_is_the_known_one() {
        for c in [0.1, 1.0, 30.0] {
            let map = exact(c).solve(&samples(&[1.0, -1.0], 1, &[1, 0], 2)).map;
            let (mut low, mut high) = (0.0, 100.0);
            for _ in 0..200 {
                let u = f64::midpoint(low, high);
                if u - 2.0 * c / (1.0 + (2.0 * u).exp()) > 0.0 { high = u } else { low = u }
            }
            assert!((map.weights[1] - low).abs() < 1e-7 && (map.weights[0] + low).abs() < 1e-7, "{map:?} {low}");
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_value() {
        let samples = clouds(300, 4, 3);
        let logistic = exact(0.5);
        let problem = Problem::new(&logistic, &samples);
        let at: Vec<f64> = (0..15).map(|i| f64::from(i % 7) * 0.1 - 0.3).collect();
        let (_, gradient) = problem.at(&at);
        for (place, slope) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut at = at.clone();
                at[place] += by;
                problem.at(&at).0
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-8, "{place}: {slope} {difference}");
        }
    }

    #[test]
    fn the_solution_is_a_minimum_and_the_same_every_time() {
        let samples = clouds(300, 6, 4);
        let solved = exact(2.0).solve(&samples);
        assert!(solved.converged, "{}", solved.iterations);
        assert_eq!(solved, exact(2.0).solve(&samples));
        let logistic = exact(2.0);
        let problem = Problem::new(&logistic, &samples);
        let at: Vec<f64> = solved.map.weights.iter().chain(&solved.map.bias).copied().collect();
        let (value, gradient) = problem.at(&at);
        assert!(gradient.iter().all(|component| component.abs() < 1e-9));
        assert!((solved.objective / (2.0 * 300.0) - value).abs() < 1e-12);
    }

    #[test]
    fn weights_count_samples() {
        let base = clouds(20, 3, 2);
        let mut weighted = base.clone();
        weighted.weights = (0..20).map(|i| if i < 10 { 3.0 } else { 1.0 }).collect();
        let places: Vec<usize> = (0..10).flat_map(|i| [i, i, i]).chain(10..20).collect();
        let tripled = samples(
            &places.iter().flat_map(|&i| base.row(i).to_vec()).collect::<Vec<_>>(),
            3,
            &places.iter().map(|&i| base.labels[i]).collect::<Vec<_>>(),
            2,
        );
        let (a, b) = (exact(1.0).solve(&weighted), exact(1.0).solve(&tripled));
        assert!((a.objective - b.objective).abs() < 1e-7);
        for (a, b) in a.map.weights.iter().zip(&b.map.weights) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
