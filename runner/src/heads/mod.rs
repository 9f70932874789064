//! Heads that are more than a list of layers: one file each, holding the YAML form, the behaviour and
//! the tests.
//!
//! `linear_svm` and `logistic` are fitted to convergence on the features that a frozen net gives;
//! `convert_fc` is the architecture's own classifier, made to slide over larger images.

pub mod convert_fc;
pub mod fitted;
mod form;
#[cfg(test)]
mod golden;
mod lbfgs;
mod linear_svm;
mod logistic;
mod standardize;
#[cfg(test)]
mod testing;
mod vector;

pub use fitted::{Fitted, LinearMap, Samples, Solution};
pub use linear_svm::{Hinge, LinearSvm};
pub use logistic::Logistic;

use crate::layers::AnyLayer;
use crate::spec::{Path, Problem, Problems};

/// The head of a net: what is between the backbone and one output a class.
#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    /// A list of layers, trained by the phases of the schedule.
    Layers(Vec<AnyLayer>),
    /// A linear layer over pooled features, fitted to convergence.
    Fitted(Fitted),
    /// The classifier of VGG or `AlexNet` as convolutions; false is the classifier as it is.
    ConvertFc(bool),
}

impl Head {
    /// The layers that the spec lists; none where the head is not a list.
    pub fn listed(&self) -> &[AnyLayer] {
        match self {
            Head::Layers(layers) => layers,
            Head::Fitted(_) | Head::ConvertFc(_) => &[],
        }
    }

    /// The same, to be changed.
    pub fn listed_mut(&mut self) -> &mut [AnyLayer] {
        match self {
            Head::Layers(layers) => layers,
            Head::Fitted(_) | Head::ConvertFc(_) => &mut [],
        }
    }

    /// How the head is fitted, if it is.
    pub fn fitted(&self) -> Option<&Fitted> {
        match self {
            Head::Fitted(fitted) => Some(fitted),
            Head::Layers(_) | Head::ConvertFc(_) => None,
        }
    }

    /// The key that a head other than a list stands under.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Head::Layers(_) => None,
            Head::Fitted(fitted) => Some(fitted.name()),
            Head::ConvertFc(_) => Some(form::CONVERT_FC),
        }
    }

    /// Notes what cannot be, whatever the net is. `at` is where the head stands in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        match self {
            Head::Layers(layers) if layers.is_empty() => {
                let problem = Problem::new(at.clone(), "a head needs at least one layer");
                problems.push(problem.help("leave `head` out for the backbone's own"));
            }
            Head::Fitted(fitted) => fitted.check(&at.key(fitted.name()), problems),
            Head::Layers(_) | Head::ConvertFc(_) => {}
        }
    }
}
