//! Divides samples into training, validation and test.
//!
//! What is divided are *units*: a group of samples that must stay together, or a single sample.
//! Units are put in an order that depends on the seed and their names alone, then dealt out so that
//! every split gets its share of the whole and, when stratified, of every class.

use super::deal::{Unit, deal};
use super::{DataError, Samples, SplitName};
use crate::random::{Key, Purpose};
use crate::spec::Split;
use std::collections::{BTreeMap, HashMap};

/// Places in the samples, by split; each in rising order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// They train.
    pub train: Vec<usize>,
    /// They are watched while training.
    pub val: Vec<usize>,
    /// They are looked at once, at the end.
    pub test: Vec<usize>,
    /// What a person should know of how this came about.
    pub note: Option<String>,
}

impl Parts {
    fn of(&mut self, split: SplitName) -> &mut Vec<usize> {
        match split {
            SplitName::Train => &mut self.train,
            SplitName::Val => &mut self.val,
            SplitName::Test => &mut self.test,
        }
    }

    fn each(&self) -> [(SplitName, &[usize]); 3] {
        [(SplitName::Train, &self.train), (SplitName::Val, &self.val), (SplitName::Test, &self.test)]
    }
}

/// The splits in order.
const SPLITS: [SplitName; 3] = [SplitName::Train, SplitName::Val, SplitName::Test];

/// Divides samples. Splits that the source itself gives are kept; one that is wanted and that the
/// source lacks is carved from its training samples.
///
/// Fails where a split that is wanted would be empty, and where the source's own splits divide a
/// group.
pub fn divide(samples: &Samples, split: &Split, seed: u64) -> Result<Parts, DataError> {
    let mut parts = if samples.samples.iter().any(|sample| sample.split.is_some()) {
        own(samples, split, seed)?
    } else {
        let places: Vec<usize> = (0..samples.samples.len()).collect();
        by_share(samples, &places, SPLITS.map(|name| (name, share(split, name))), split.stratify, seed)?
    };
    for name in SPLITS {
        parts.of(name).sort_unstable();
    }
    whole_groups(samples, &parts)?;
    not_empty(&parts, split)?;
    Ok(parts)
}

/// How a split is called.
pub fn name(split: SplitName) -> &'static str {
    match split {
        SplitName::Train => "train",
        SplitName::Val => "val",
        SplitName::Test => "test",
    }
}

/// The split of this name, as data sets write it.
pub fn parse(text: &str) -> Option<SplitName> {
    match text {
        "train" => Some(SplitName::Train),
        "val" | "valid" | "validation" => Some(SplitName::Val),
        "test" => Some(SplitName::Test),
        _ => None,
    }
}

fn share(split: &Split, name: SplitName) -> f64 {
    match name {
        SplitName::Train => split.train,
        SplitName::Val => split.val,
        SplitName::Test => split.test,
    }
}

/// The source's own splits, and from `train` those that it lacks.
fn own(samples: &Samples, split: &Split, seed: u64) -> Result<Parts, DataError> {
    let mut parts = Parts::default();
    for (place, sample) in samples.samples.iter().enumerate() {
        parts.of(sample.split.unwrap_or(SplitName::Train)).push(place);
    }
    let lacking: Vec<SplitName> =
        SPLITS.into_iter().filter(|&name| parts.of(name).is_empty() && share(split, name) > 0.0).collect();
    if parts.train.is_empty() || lacking.is_empty() {
        return Ok(parts);
    }
    let train = std::mem::take(&mut parts.train);
    let shares = SPLITS.map(|name| {
        let takes = name == SplitName::Train || lacking.contains(&name);
        (name, if takes { share(split, name) } else { 0.0 })
    });
    let carved = by_share(samples, &train, shares, split.stratify, seed)?;
    parts.train = carved.train;
    for &name in &lacking {
        let places = match name {
            SplitName::Val => &carved.val,
            _ => &carved.test,
        };
        parts.of(name).clone_from(places);
    }
    let lacking: Vec<&str> = lacking.into_iter().map(name).collect();
    parts.note = Some(format!("{} carved from its train, as it has none of its own", lacking.join(" and ")));
    Ok(parts)
}

/// Divides the samples at `places` by shares.
fn by_share(
    samples: &Samples,
    places: &[usize],
    shares: [(SplitName, f64); 3],
    stratify: bool,
    seed: u64,
) -> Result<Parts, DataError> {
    let taking: Vec<(SplitName, f64)> = shares.into_iter().filter(|(_, share)| *share > 0.0).collect();
    let total: f64 = taking.iter().map(|(_, share)| share).sum();
    let units = units(samples, places, stratify, Key::new(seed, Purpose::Split));
    if units.len() < taking.len() {
        let what = if samples.samples.iter().any(|sample| sample.group.is_some()) { "groups" } else { "samples" };
        let names: Vec<&str> = taking.iter().map(|(split, _)| name(*split)).collect();
        return Err(DataError::invalid(format!(
            "{} {what} cannot be divided into {}: each split needs at least one",
            units.len(),
            names.join(", ")
        )));
    }
    let shares: Vec<f64> = taking.iter().map(|(_, share)| share / total).collect();
    let mut parts = Parts::default();
    let buckets = deal(&units, &shares);
    for (unit, bucket) in units.iter().zip(buckets) {
        if let Some((split, _)) = taking.get(bucket) {
            parts.of(*split).extend_from_slice(&unit.members);
        }
    }
    Ok(parts)
}

/// The units in an order that depends on the key and on names, not on the order of the samples.
fn units(samples: &Samples, places: &[usize], stratify: bool, key: Key) -> Vec<Unit> {
    let mut named: BTreeMap<(bool, &str), (Vec<usize>, BTreeMap<usize, usize>)> = BTreeMap::new();
    for (place, sample) in places.iter().filter_map(|&place| Some((place, samples.samples.get(place)?))) {
        let id = sample.group.as_deref().map_or((false, sample.name.as_str()), |group| (true, group));
        let (members, counts) = named.entry(id).or_default();
        members.push(place);
        *counts.entry(if stratify { sample.label } else { 0 }).or_default() += 1;
    }
    let mut units: Vec<(u32, Unit)> = named
        .into_iter()
        .map(|((_, name), (members, counts))| {
            (key.named(name).stream().bits(), Unit { members, counts: counts.into_iter().collect() })
        })
        .collect();
    units.sort_by_key(|(rank, _)| *rank);
    units.into_iter().map(|(_, unit)| unit).collect()
}

/// No group is in two splits.
fn whole_groups(samples: &Samples, parts: &Parts) -> Result<(), DataError> {
    let mut seen: HashMap<&str, SplitName> = HashMap::new();
    for (split, places) in parts.each() {
        for sample in places.iter().filter_map(|&place| samples.samples.get(place)) {
            let Some(group) = sample.group.as_deref() else { continue };
            let first = *seen.entry(group).or_insert(split);
            if first != split {
                return Err(DataError::invalid(format!(
                    "group `{group}` is both in {} and in {} (`{}`): what is learnt from one half would be tested on \
                     the other",
                    name(first),
                    name(split),
                    sample.name
                )));
            }
        }
    }
    Ok(())
}

/// Every split that is wanted has samples.
pub(super) fn not_empty(parts: &Parts, split: &Split) -> Result<(), DataError> {
    for (which, places) in parts.each() {
        if places.is_empty() && (which == SplitName::Train || share(split, which) > 0.0) {
            return Err(DataError::invalid(format!("the split `{}` has no images", name(which))));
        }
    }
    Ok(())
}
