//! `linear_svm`.

use super::fitted::Minimum;
use super::vector::{add, dot, inner, square};
use super::{LinearMap, Samples};
use crate::random::Key;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Linear support vector machines over the features, one a class against the rest: the linear layer
/// minimizes `1/2 |w|² + c · Σ loss(y · (w·x + b))` for each class, `y` being 1 for its samples and -1
/// for all others.
///
/// As scikit-learn's `LinearSVC`: the bias is a weight like the others and counts in `|w|²`. Solved by
/// dual coordinate descent with shrinking (Hsieh et al. 2008, LIBLINEAR). `class_weights` of
/// `regularization` multiply `c` sample by sample. The outputs are margins; where probabilities are
/// asked for (loss, AUC, `predict`), the softmax of the margins is taken, which is not calibrated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinearSvm {
    /// How much a sample on the wrong side costs against small weights: large fits the samples, small
    /// keeps the weights small.
    pub c: f64,
    /// What a sample costs by its margin.
    pub loss: Hinge,
    /// The solver stops when no step along a sample's coordinate would change the dual's gradient by
    /// more than this (LIBLINEAR's `eps`).
    pub tolerance: f64,
    /// Passes over the samples after which it stops anyhow; the run says so.
    pub max_iterations: usize,
    /// Whether features are brought to mean 0 and standard deviation 1 first. The linear layer has that
    /// folded in: it takes features as they are.
    pub standardize: bool,
}

impl Default for LinearSvm {
    fn default() -> Self {
        LinearSvm { c: 1.0, loss: Hinge::default(), tolerance: 1e-4, max_iterations: 1000, standardize: true }
    }
}

/// What a sample costs by its margin `m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hinge {
    /// `max(0, 1 - m)²`: smooth, and quicker to solve.
    #[default]
    SquaredHinge,
    /// `max(0, 1 - m)`: the loss of the first support vector machines (Cortes and Vapnik 1995).
    Hinge,
}

impl Hinge {
    /// The name, as YAML has it.
    pub fn name(self) -> &'static str {
        match self {
            Hinge::SquaredHinge => "squared_hinge",
            Hinge::Hinge => "hinge",
        }
    }

    /// What a sample of this margin costs.
    fn cost(self, margin: f64) -> f64 {
        let short = (1.0 - margin).max(0.0);
        match self {
            Hinge::SquaredHinge => short * short,
            Hinge::Hinge => short,
        }
    }
}

impl LinearSvm {
    /// Solves the problem of each class. The objective is the sum of the primal ones.
    pub(super) fn solve(&self, samples: &Samples, key: Key) -> Minimum {
        let class = |class: usize| Machine::new(self, samples, class).solve(key.with(class as u64));
        let classes: Vec<Solved> = (0..samples.classes).into_par_iter().map(class).collect();
        Minimum {
            objective: classes.iter().map(|solved| solved.objective).sum(),
            iterations: classes.iter().map(|solved| solved.iterations).max().unwrap_or(0),
            converged: classes.iter().all(|solved| solved.converged),
            map: LinearMap {
                bias: classes.iter().map(|solved| solved.bias).collect(),
                weights: classes.into_iter().flat_map(|solved| solved.weights).collect(),
            },
        }
    }
}

/// The machine of one class.
struct Solved {
    weights: Vec<f64>,
    bias: f64,
    objective: f64,
    iterations: usize,
    converged: bool,
}

/// The dual problem of one class against the rest, on its way: algorithm 3 of Hsieh et al. 2008.
struct Machine<'a> {
    svm: &'a LinearSvm,
    samples: &'a Samples,
    /// 1 for samples of the class, else -1.
    sides: Vec<f64>,
    /// By sample: the variable of the dual problem.
    alphas: Vec<f64>,
    /// The weights and the bias that follow from them.
    weights: Vec<f64>,
    bias: f64,
    /// By sample: the second derivative along its variable.
    curvatures: Vec<f64>,
    /// The samples that count, in the order of the pass; those from `active` on are left out for now.
    order: Vec<usize>,
    active: usize,
}

/// The range of projected gradients in a pass.
#[derive(Clone, Copy)]
struct Range {
    high: f64,
    low: f64,
}

impl Range {
    const UNBOUNDED: Range = Range { high: f64::INFINITY, low: f64::NEG_INFINITY };
    const EMPTY: Range = Range { high: f64::NEG_INFINITY, low: f64::INFINITY };

    fn see(&mut self, gradient: f64) {
        self.high = self.high.max(gradient);
        self.low = self.low.min(gradient);
    }

    /// The bounds beyond which a sample is left out of the next pass.
    fn bounds(self) -> Range {
        Range {
            high: if self.high <= 0.0 { f64::INFINITY } else { self.high },
            low: if self.low >= 0.0 { f64::NEG_INFINITY } else { self.low },
        }
    }
}

impl<'a> Machine<'a> {
    fn new(svm: &'a LinearSvm, samples: &'a Samples, class: usize) -> Self {
        let count = samples.labels.len();
        let order: Vec<usize> = (0..count).filter(|&sample| samples.weights[sample] > 0.0).collect();
        let mut machine = Machine {
            svm,
            samples,
            sides: samples.labels.iter().map(|&label| if label == class { 1.0 } else { -1.0 }).collect(),
            alphas: vec![0.0; count],
            weights: vec![0.0; samples.width],
            bias: 0.0,
            curvatures: Vec::new(),
            active: order.len(),
            order,
        };
        let curvature = |sample: usize| square(samples.row(sample)) + 1.0 + machine.diagonal(sample);
        machine.curvatures = (0..count).map(curvature).collect();
        machine
    }

    /// What the loss adds to the dual's curvature along a sample's variable.
    fn diagonal(&self, sample: usize) -> f64 {
        match self.svm.loss {
            Hinge::SquaredHinge => 0.5 / self.cost(sample),
            Hinge::Hinge => 0.0,
        }
    }

    /// The greatest value of a sample's variable.
    fn most(&self, sample: usize) -> f64 {
        match self.svm.loss {
            Hinge::SquaredHinge => f64::INFINITY,
            Hinge::Hinge => self.cost(sample),
        }
    }

    fn cost(&self, sample: usize) -> f64 {
        self.svm.c * self.samples.weights[sample]
    }

    fn output(&self, sample: usize) -> f64 {
        dot(self.samples.row(sample), &self.weights) + self.bias
    }

    fn solve(mut self, key: Key) -> Solved {
        let mut bounds = Range::UNBOUNDED;
        let (mut iterations, mut converged) = (0, self.order.is_empty());
        while !converged && iterations < self.svm.max_iterations {
            let range = self.pass(bounds, key.with(iterations as u64));
            iterations += 1;
            // A pass from which all were left out has seen no gradient at all.
            let settled = range.high - range.low <= self.svm.tolerance;
            if settled && self.active == self.order.len() {
                converged = true;
            } else if settled {
                self.active = self.order.len();
                bounds = Range::UNBOUNDED;
            } else {
                bounds = range.bounds();
            }
        }
        Solved { objective: self.objective(), weights: self.weights, bias: self.bias, iterations, converged }
    }

    /// Minimizes along the variable of each sample in turn, and leaves out those at a bound from which
    /// they will not move. Gives the range of the projected gradients.
    fn pass(&mut self, bounds: Range, key: Key) -> Range {
        key.stream().shuffle(&mut self.order[..self.active]);
        let mut range = Range::EMPTY;
        let mut place = 0;
        while place < self.active {
            let sample = self.order[place];
            let (side, alpha, most) = (self.sides[sample], self.alphas[sample], self.most(sample));
            let gradient = side * self.output(sample) - 1.0 + alpha * self.diagonal(sample);
            let leave = (alpha <= 0.0 && gradient > bounds.high) || (alpha >= most && gradient < bounds.low);
            if leave {
                self.active -= 1;
                self.order.swap(place, self.active);
                continue;
            }
            let stays = (alpha <= 0.0 && gradient > 0.0) || (alpha >= most && gradient < 0.0);
            let projected = if stays { 0.0 } else { gradient };
            range.see(projected);
            if projected.abs() > 1e-12 {
                let moved = (alpha - gradient / self.curvatures[sample]).clamp(0.0, most);
                self.alphas[sample] = moved;
                let step = (moved - alpha) * side;
                add(&mut self.weights, step, self.samples.row(sample));
                self.bias += step;
            }
            place += 1;
        }
        range
    }

    /// The primal objective.
    fn objective(&self) -> f64 {
        let costs = self
            .order
            .iter()
            .map(|&sample| self.cost(sample) * self.svm.loss.cost(self.sides[sample] * self.output(sample)));
        0.5 * (inner(&self.weights, &self.weights) + self.bias * self.bias) + costs.sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{clouds, samples};
    use super::*;
    use crate::random::Purpose;

    fn exact(c: f64, loss: Hinge) -> LinearSvm {
        LinearSvm { c, loss, tolerance: 1e-10, max_iterations: 200_000, standardize: false }
    }

    fn solve(svm: &LinearSvm, samples: &Samples) -> Minimum {
        let solved = svm.solve(samples, Key::new(1, Purpose::Fit));
        assert!(solved.converged, "{} iterations", solved.iterations);
        solved
    }

    /// Two samples at 1 and -1: the optimum can be written down.
    #[test]
    fn the_optimum_of_two_samples_is_the_known_one() {
        let two = samples(&[1.0, -1.0], 1, &[1, 0], 2);
        for (c, loss, weight) in [
            (1.0, Hinge::SquaredHinge, 0.8),
            (0.1, Hinge::SquaredHinge, 0.4 / 1.4),
            (0.25, Hinge::Hinge, 0.5),
            (1.0, Hinge::Hinge, 1.0),
        ] {
            let map = solve(&exact(c, loss), &two).map;
            for (found, known) in map.weights.iter().chain(&map.bias).zip([-weight, weight, 0.0, 0.0]) {
                assert!((found - known).abs() < 1e-8, "{c} {loss:?}: {found} is not {known}");
            }
        }
    }

    /// At the optimum of the squared hinge the primal gradient is 0.
    #[test]
    fn the_gradient_of_the_squared_hinge_is_zero_at_the_solution() {
        let samples = clouds(60, 5, 3);
        let solved = solve(&exact(0.7, Hinge::SquaredHinge), &samples);
        for (class, weights) in solved.map.weights.chunks_exact(5).enumerate() {
            let mut gradient: Vec<f64> = weights.iter().copied().chain([solved.map.bias[class]]).collect();
            for (sample, &label) in samples.labels.iter().enumerate() {
                let side = if label == class { 1.0 } else { -1.0 };
                let output = solved.map.outputs(samples.row(sample))[class];
                let slope = -2.0 * 0.7 * samples.weights[sample] * side * (1.0 - side * output).max(0.0);
                add(&mut gradient[..5], slope, samples.row(sample));
                gradient[5] += slope;
            }
            assert!(gradient.iter().all(|value| value.abs() < 1e-6), "{gradient:?}");
        }
    }

    /// For the plain hinge, which has no gradient at its corner: the duality gap is 0.
    #[test]
    fn the_duality_gap_of_the_hinge_closes() {
        let samples = clouds(60, 5, 2);
        let svm = exact(0.3, Hinge::Hinge);
        let mut machine = Machine::new(&svm, &samples, 1);
        let mut bounds = Range::UNBOUNDED;
        for pass in 0..20_000 {
            let range = machine.pass(bounds, Key::new(1, Purpose::Fit).with(pass));
            machine.active = machine.order.len();
            bounds = Range::UNBOUNDED;
            if range.high - range.low <= 1e-10 {
                break;
            }
        }
        let norm = inner(&machine.weights, &machine.weights) + machine.bias.powi(2);
        let dual = machine.alphas.iter().sum::<f64>() - 0.5 * norm;
        assert!((machine.objective() - dual).abs() < 1e-7 * dual, "{} {dual}", machine.objective());
        assert!(machine.alphas.iter().zip(&samples.weights).all(|(&a, w)| (0.0..=0.3 * w).contains(&a)));
    }

    #[test]
    fn shrinking_and_the_order_change_nothing_but_the_way() {
        let samples = clouds(80, 4, 3);
        let svm = exact(1.0, Hinge::SquaredHinge);
        let one = solve(&svm, &samples);
        let other = svm.solve(&samples, Key::new(2, Purpose::Fit));
        for (a, b) in one.map.weights.iter().zip(&other.map.weights) {
            assert!((a - b).abs() < 1e-7, "{a} {b}");
        }
        assert_eq!(one, solve(&svm, &samples), "the same bits from the same key");
    }

    /// A sample that counts twice is a sample that is there twice; one of weight 0 is not there.
    #[test]
    fn weights_count_samples() {
        let base = clouds(20, 3, 2);
        let mut weighted = base.clone();
        weighted.weights = (0..20).map(|i| if i % 2 == 0 { 2.0 } else { 0.0 }).collect();
        let even: Vec<usize> = (0..20).step_by(2).flat_map(|i| [i, i]).collect();
        let doubled = samples(
            &even.iter().flat_map(|&i| base.row(i).to_vec()).collect::<Vec<_>>(),
            3,
            &even.iter().map(|&i| base.labels[i]).collect::<Vec<_>>(),
            2,
        );
        for loss in [Hinge::SquaredHinge, Hinge::Hinge] {
            let (a, b) = (solve(&exact(0.5, loss), &weighted), solve(&exact(0.5, loss), &doubled));
            assert!((a.objective - b.objective).abs() < 1e-7, "{} {}", a.objective, b.objective);
        }
    }

    #[test]
    fn a_limit_on_passes_is_kept_and_told() {
        let solved = LinearSvm { max_iterations: 1, ..exact(10.0, Hinge::Hinge) }
            .solve(&clouds(60, 5, 2), Key::new(1, Purpose::Fit));
        assert_eq!((solved.iterations, solved.converged), (1, false));
    }
}
