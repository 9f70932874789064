//! Which training samples an epoch draws, and how often.

use crate::data::Dataset;
use crate::hex::hex;
use crate::spec::Pipeline;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The training samples that an epoch draws: each once, or classes more often where the spec says so.
pub fn drawn<'a>(data: &'a Dataset, spec: &Pipeline, epoch: u64) -> Cow<'a, [usize]> {
    match &spec.data.oversample {
        None => Cow::Borrowed(&data.train),
        Some(oversample) => Cow::Owned(oversample.epoch(&data.facts.classes, &by_class(data), spec.seed, epoch)),
    }
}

/// How many samples of each class an epoch draws.
pub fn counts(data: &Dataset, spec: &Pipeline) -> Vec<usize> {
    let counts: Vec<usize> = by_class(data).iter().map(Vec::len).collect();
    match &spec.data.oversample {
        None => counts,
        Some(oversample) => oversample.drawn(&data.facts.classes, &counts),
    }
}

/// The training samples of each class.
fn by_class(data: &Dataset) -> Vec<Vec<usize>> {
    let mut by_class = vec![Vec::new(); data.facts.classes.len()];
    for &place in &data.train {
        by_class[data.samples.samples[place].label].push(place);
    }
    by_class
}

/// A hash over the samples, their classes and splits: two data sets with the same train alike, as far as
/// that can be told without reading images.
pub fn fingerprint(data: &Dataset) -> String {
    let mut hash = Sha256::new();
    for class in &data.facts.classes {
        hash.update((class.len() as u64).to_le_bytes());
        hash.update(class);
    }
    for split in [&data.train, &data.val, &data.test] {
        hash.update((split.len() as u64).to_le_bytes());
        for &place in split {
            let sample = &data.samples.samples[place];
            hash.update((place as u64).to_le_bytes());
            hash.update((sample.label as u64).to_le_bytes());
            hash.update((sample.name.len() as u64).to_le_bytes());
            hash.update(&sample.name);
        }
    }
    hex(&hash.finalize())
}
