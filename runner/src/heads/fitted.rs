//! A head that is fitted to convergence on features that a frozen net gives.

use super::standardize::Standard;
use super::{LinearSvm, Logistic, form, vector};
use crate::random::Key;
use crate::spec::check::{POSITIVE, finite, range};
use crate::spec::{Path, Problems};
use std::fmt;

/// How a linear layer over pooled features is fitted.
#[derive(Debug, Clone, PartialEq)]
pub enum Fitted {
    /// Linear support vector machines, one a class against the rest.
    LinearSvm(LinearSvm),
    /// Multinomial logistic regression.
    Logistic(Logistic),
}

/// Features of samples, and their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// A row of `width` features a sample, one after the other.
    pub values: Vec<f32>,
    /// Features a sample.
    pub width: usize,
    /// Each sample's class.
    pub labels: Vec<usize>,
    /// How many times each sample counts.
    pub weights: Vec<f64>,
    /// How many classes there are.
    pub classes: usize,
}

impl Samples {
    /// The features of a sample.
    pub(super) fn row(&self, sample: usize) -> &[f32] {
        self.values.get(sample * self.width..(sample + 1) * self.width).unwrap_or_default()
    }
}

/// A linear map from features to one output a class.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearMap {
    /// A row of weights a class, one after the other: (classes, features).
    pub weights: Vec<f64>,
    /// One value a class.
    pub bias: Vec<f64>,
}

impl LinearMap {
    /// The outputs over one sample's features.
    pub fn outputs(&self, row: &[f32]) -> Vec<f64> {
        let rows = self.weights.chunks_exact(row.len().max(1));
        rows.zip(&self.bias).map(|(weights, bias)| vector::dot(row, weights) + bias).collect()
    }

    /// The weights as a linear layer has them: (features, classes).
    pub fn layer_weights(&self) -> Vec<f32> {
        let width = self.weights.len() / self.bias.len().max(1);
        (0..width).flat_map(|i| self.weights.iter().skip(i).step_by(width.max(1)).map(|&w| w as f32)).collect()
    }
}

/// What a fit came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The map, over features as they were given.
    pub map: LinearMap,
    /// What the map gives over the samples: a row of one value a class each.
    pub outputs: Vec<f32>,
    /// What was minimized, at the end; see each head for what it is.
    pub objective: f64,
    /// Iterations of the solver; of several solvers the most.
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

/// What a solver found, over features as it was given them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Minimum {
    pub map: LinearMap,
    pub objective: f64,
    pub iterations: usize,
    pub converged: bool,
}

impl Fitted {
    /// The name, as YAML has it.
    pub fn name(&self) -> &'static str {
        match self {
            Fitted::LinearSvm(_) => form::LINEAR_SVM,
            Fitted::Logistic(_) => form::LOGISTIC,
        }
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub(super) fn check(&self, at: &Path, problems: &mut Problems) {
        let (c, tolerance, iterations) = match self {
            Fitted::LinearSvm(svm) => (svm.c, svm.tolerance, svm.max_iterations),
            Fitted::Logistic(logistic) => (logistic.c, logistic.tolerance, logistic.max_iterations),
        };
        finite(problems, at.key("c"), c, POSITIVE, "`c`");
        finite(problems, at.key("tolerance"), tolerance, POSITIVE, "the tolerance");
        range(problems, at.key("max_iterations"), &iterations, 1.., "the number of iterations");
    }

    /// Whether features are brought to mean 0 and standard deviation 1 before fitting.
    pub fn standardizes(&self) -> bool {
        match self {
            Fitted::LinearSvm(svm) => svm.standardize,
            Fitted::Logistic(logistic) => logistic.standardize,
        }
    }

    /// Fits the map to samples. `key` is that of the orders in which they are visited.
    pub fn fit(&self, mut samples: Samples, key: Key) -> Solution {
        let standard = self.standardizes().then(|| Standard::apply(&mut samples.values, samples.width));
        let Minimum { map, objective, iterations, converged } = match self {
            Fitted::LinearSvm(svm) => svm.solve(&samples, key),
            Fitted::Logistic(logistic) => logistic.solve(&samples),
        };
        let rows = (0..samples.labels.len()).flat_map(|sample| map.outputs(samples.row(sample)));
        let outputs = rows.map(|output| output as f32).collect();
        let map = match standard {
            Some(standard) => standard.fold(map),
            None => map,
        };
        Solution { map, outputs, objective, iterations, converged }
    }
}

impl fmt::Display for Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fitted::LinearSvm(svm) => write!(f, "linear_svm (c {}, {})", svm.c, svm.loss.name())?,
            Fitted::Logistic(logistic) => write!(f, "logistic (c {})", logistic.c)?,
        }
        f.write_str(if self.standardizes() { " on standardized features" } else { " on features as they are" })
    }
}
