//! Small problems for the solvers.

use super::Samples;
use crate::random::{Key, Purpose};

/// Samples that each count once.
pub fn samples(values: &[f32], width: usize, labels: &[usize], classes: usize) -> Samples {
    let (values, weights) = (values.to_vec(), vec![1.0; labels.len()]);
    Samples { values, width, labels: labels.to_vec(), weights, classes }
}

/// Normal clouds that overlap, one a class; class k is shifted along feature k.
pub fn clouds(count: usize, width: usize, classes: usize) -> Samples {
    let mut stream = Key::new(5, Purpose::Check).stream();
    let labels: Vec<usize> = (0..count).map(|i| i % classes).collect();
    let shift = |label: usize, feature: usize| if label == feature { 1.5 } else { 0.0 };
    let values: Vec<f32> = labels
        .iter()
        .flat_map(|&label| (0..width).map(move |feature| (label, feature)))
        .map(|(label, feature)| stream.normal() + shift(label, feature))
        .collect();
    samples(&values, width, &labels, classes)
}
