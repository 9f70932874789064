//! L-BFGS: minimizes a smooth function of many variables (Liu and Nocedal 1989).

use super::vector::inner;
use std::collections::VecDeque;

/// Pairs of steps and gradient changes that stand for the curvature.
const MEMORY: usize = 10;

/// A step must lower the value by this share of what its slope promises (Armijo) ...
const DECREASE: f64 = 1e-4;

/// ... and leave no more than this share of the slope (the weak Wolfe condition).
const SLOPE: f64 = 0.9;

/// What a value may be off by, relative to it (the approximate Wolfe condition, Hager and Zhang 2005).
const ROUNDING: f64 = 1e-14;

/// Halvings and doublings of a step. Beyond these it is as small as rounding.
const TRIES: usize = 60;

/// Where the search ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub at: Vec<f64>,
    pub value: f64,
    pub iterations: usize,
    /// Whether no component of the gradient is larger than the tolerance.
    pub converged: bool,
}

/// Minimizes `function`, which gives value and gradient, from `at` on.
pub(super) fn minimize(
    mut function: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    mut at: Vec<f64>,
    tolerance: f64,
    max_iterations: usize,
) -> Found {
    let (mut value, mut gradient) = function(&at);
    let mut memory = Memory::default();
    let mut iterations = 0;
    let flat = |gradient: &[f64]| gradient.iter().all(|component| component.abs() <= tolerance);
    while !flat(&gradient) && iterations < max_iterations {
        let direction = memory.direction(&gradient);
        // Nothing is known of the scale before the first step.
        let first = if memory.is_empty() { 1.0 / inner(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let Some(step) = search(&mut function, &at, value, &gradient, &direction, first) else { break };
        let moved: Vec<f64> = step.at.iter().zip(&at).map(|(new, old)| new - old).collect();
        let change: Vec<f64> = step.gradient.iter().zip(&gradient).map(|(new, old)| new - old).collect();
        memory.push(moved, change);
        (at, value, gradient) = (step.at, step.value, step.gradient);
        iterations += 1;
    }
    Found { converged: flat(&gradient), at, value, iterations }
}

struct Step {
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// A step along `direction` that lowers value and slope enough, by halving and doubling (Lewis and
/// Overton 2013). `None` where there is none that rounding does not swallow.
fn search(
    function: &mut impl FnMut(&[f64]) -> (f64, Vec<f64>),
    from: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
    first: f64,
) -> Option<Step> {
    let slope = inner(gradient, direction);
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, first);
    for _ in 0..TRIES {
        let at: Vec<f64> = from.iter().zip(direction).map(|(x, d)| x + length * d).collect();
        let (new, new_gradient) = function(&at);
        let new_slope = inner(&new_gradient, direction);
        // Near the minimum the value changes by less than its rounding, and the slope alone tells.
        let level = new <= value + ROUNDING * value.abs() && new_slope <= (2.0 * DECREASE - 1.0) * slope;
        let lowers = new <= value + DECREASE * length * slope || level;
        if !lowers {
            high = length;
        } else if new_slope < SLOPE * slope {
            low = length;
        } else {
            return Some(Step { at, value: new, gradient: new_gradient });
        }
        length = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * length };
    }
    None
}

/// The last steps and gradient changes.
#[derive(Default)]
struct Memory {
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl Memory {
    fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn push(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let curvature = inner(&step, &change);
        if curvature <= f64::EPSILON * inner(&change, &change) {
            return;
        }
        if self.pairs.len() == MEMORY {
            self.pairs.pop_front();
        }
        self.pairs.push_back((step, change, 1.0 / curvature));
    }

    /// Where to go: minus the gradient, times an estimate of the inverse second derivative.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|component| -component).collect();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for (step, change, factor) in self.pairs.iter().rev() {
            let share = factor * inner(step, &direction);
            subtract(&mut direction, share, change);
            shares.push(share);
        }
        if let Some((_, change, factor)) = self.pairs.back() {
            let scale = 1.0 / (factor * inner(change, change));
            for component in &mut direction {
                *component *= scale;
            }
        }
        for ((step, change, factor), share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let back = factor * inner(change, &direction);
            subtract(&mut direction, back - share, step);
        }
        direction
    }
}

fn subtract(from: &mut [f64], factor: f64, other: &[f64]) {
    for (from, other) in from.iter_mut().zip(other) {
        *from -= factor * other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_valley_is_walked_to_its_end() {
        let quadratic = |x: &[f64]| {
            let scales = [1.0, 100.0, 10_000.0];
            let value = x.iter().zip(scales).map(|(x, s)| 0.5 * s * (x - 1.0).powi(2)).sum();
            (value, x.iter().zip(scales).map(|(x, s)| s * (x - 1.0)).collect())
        };
        let found = minimize(quadratic, vec![5.0, -3.0, 2.0], 1e-9, 100);
        assert!(found.converged && found.iterations < 40, "{found:?}");
        assert!(found.at.iter().all(|x| (x - 1.0).abs() < 1e-8), "{found:?}");
    }

    #[test]
    fn a_curved_valley_too() {
        let rosenbrock = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
        };
        let found = minimize(rosenbrock, vec![-1.2, 1.0], 1e-8, 200);
        assert!(found.converged && found.at.iter().all(|x| (x - 1.0).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn a_limit_is_kept_and_told() {
        let found = minimize(|x| (x[0].powi(4), vec![4.0 * x[0].powi(3)]), vec![3.0], 1e-12, 2);
        assert_eq!((found.iterations, found.converged), (2, false));
    }
}
