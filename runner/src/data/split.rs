//! Divides samples into training, validation and test.
//!
//! What is divided are *units*: a group of samples that must stay together, or a single sample.
//! Units are put in an order that depends on the seed and their names alone, then dealt out so that
//! every split gets its share of the whole and, when stratified, of every class.

use super::deal::{Unit, deal};
use super::{DataError, Samples, SplitName, folds};
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

    pub(super) fn each(&self) -> [(SplitName, &[usize]); 3] {
        [(SplitName::Train, &self.train), (SplitName::Val, &self.val), (SplitName::Test, &self.test)]
    }
}

/// The splits in order.
pub(super) const SPLITS: [SplitName; 3] = [SplitName::Train, SplitName::Val, SplitName::Test];

/// Divides samples. Splits that the source itself gives are kept; one that is wanted and that the
/// source lacks is carved from its training samples.
///
/// Fails where a split that is wanted would be empty, and where the source's own splits divide a
/// group.
pub fn divide(samples: &Samples, split: &Split, seed: u64) -> Result<Parts, DataError> {
    let has_own = samples.samples.iter().any(|sample| sample.split.is_some());
    let mut parts = match split.folds {
        Some(_) if has_own => {
            let reason = "it has splits of its own, and folds would mix them: leave `folds` out";
            return Err(DataError::invalid(reason));
        }
        Some(folds) => folds::divide(samples, split, folds, seed)?,
        None if has_own => own(samples, split, seed)?,
        None => {
            let places: Vec<usize> = (0..samples.samples.len()).collect();
            by_share(samples, &places, SPLITS.map(|name| (name, share(split, name))), split.stratify, seed)?
        }
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

pub(super) fn share(split: &Split, name: SplitName) -> f64 {
    match name {
        SplitName::Train => split.train,
        SplitName::Val => split.val,
        SplitName::Test => split.test_share(),
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

/// `5 groups` or `40 samples`: what is divided.
pub(super) fn counted(samples: &Samples, units: usize) -> String {
    let what = if samples.samples.iter().any(|sample| sample.group.is_some()) { "groups" } else { "samples" };
    format!("{units} {what}")
}

/// Divides the samples at `places` by shares.
pub(super) fn by_share(
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
        let names: Vec<&str> = taking.iter().map(|(split, _)| name(*split)).collect();
        return Err(DataError::invalid(format!(
            "{} cannot be divided into {}: each split needs at least one",
            counted(samples, units.len()),
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
pub(super) fn units(samples: &Samples, places: &[usize], stratify: bool, key: Key) -> Vec<Unit> {
    let mut named: BTreeMap<(bool, &str), Vec<usize>> = BTreeMap::new();
    for (place, sample) in places.iter().filter_map(|&place| Some((place, samples.samples.get(place)?))) {
        let id = sample.group.as_deref().map_or((false, sample.name.as_str()), |group| (true, group));
        named.entry(id).or_default().push(place);
    }
    let mut units: Vec<(u32, Unit)> = named
        .into_iter()
        .map(|((_, name), members)| {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for sample in members.iter().filter_map(|&place| samples.samples.get(place)) {
                *counts.entry(if stratify { sample.label } else { 0 }).or_default() += 1;
            }
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::Sample;
    use super::super::sample::Pointer;
    use super::*;
    use proptest::prelude::*;

    fn split(train: f64, val: f64, test: f64) -> Split {
        Split { train, val, test: Some(test), ..Split::default() }
    }

    /// Samples of (class, group, split).
    pub fn samples(rows: &[(usize, Option<usize>, Option<SplitName>)]) -> Samples {
        let sample = |(place, (label, group, split)): (usize, &(usize, Option<usize>, Option<SplitName>))| Sample {
            name: format!("{place}.png"),
            pointer: Pointer::Number(place),
            label: *label,
            group: group.map(|group| format!("g{group}")),
            split: *split,
        };
        Samples {
            classes: (0..4).map(|class| class.to_string()).collect(),
            samples: rows.iter().enumerate().map(sample).collect(),
        }
    }

    fn error(rows: &[(usize, Option<usize>, Option<SplitName>)], split: &Split) -> String {
        divide(&samples(rows), split, 1).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn every_sample_is_in_one_split_and_every_group_too(
            rows in prop::collection::vec((0usize..4, prop::option::of(0usize..30)), 60..300),
            seed in 0u64..1000, stratify: bool,
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(label, group)| (label, group, None)).collect();
            let samples = samples(&rows);
            let parts = divide(&samples, &Split { stratify, ..Split::default() }, seed).unwrap();
            let mut places: Vec<usize> = parts.each().into_iter().flat_map(|(_, places)| places.to_vec()).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..rows.len()).collect::<Vec<_>>());
            let mut groups: HashMap<&str, SplitName> = HashMap::new();
            for (split, places) in parts.each() {
                prop_assert!(places.is_sorted() && !places.is_empty());
                for group in places.iter().filter_map(|place| samples.samples[*place].group.as_deref()) {
                    prop_assert_eq!(*groups.entry(group).or_insert(split), split);
                }
            }
        }

        #[test]
        fn the_order_of_the_samples_does_not_matter(
            rows in prop::collection::vec((0usize..4, prop::option::of(0usize..30)), 20..100), seed in 0u64..1000,
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(label, group)| (label, group, None)).collect();
            let forward = samples(&rows);
            let mut backward = forward.clone();
            backward.samples.reverse();
            let names = |samples: &Samples| {
                let parts = divide(samples, &Split::default(), seed).unwrap();
                parts.each().map(|(_, places)| {
                    let mut names: Vec<String> = places.iter().map(|p| samples.samples[*p].name.clone()).collect();
                    names.sort_unstable();
                    names
                })
            };
            prop_assert_eq!(names(&forward), names(&backward));
        }
    }

    #[test]
    fn the_seed_decides() {
        let samples = samples(&[(0, None, None); 100]);
        let divide = |seed| divide(&samples, &Split::default(), seed).unwrap();
        assert_eq!(divide(7), divide(7));
        assert_ne!(divide(7), divide(8));
        assert_eq!([70, 15, 15], divide(7).each().map(|(_, places)| places.len()));
    }

    #[test]
    fn classes_are_in_proportion() {
        // 80 of one class, 20 of another, sorted as folders are.
        let rows: Vec<_> = (0..100).map(|place| (usize::from(place >= 80), None, None)).collect();
        let samples = samples(&rows);
        let parts = divide(&samples, &split(0.5, 0.25, 0.25), 3).unwrap();
        let rare = parts.each().map(|(_, places)| places.iter().filter(|place| **place >= 80).count());
        assert_eq!(rare, [10, 5, 5]);
    }

    #[test]
    fn own_splits_are_kept() {
        use SplitName::{Test, Train, Val};
        let rows: Vec<_> = [Test, Train, Val, Train].into_iter().map(|split| (0, None, Some(split))).collect();
        let parts = divide(&samples(&rows), &Split::default(), 1).unwrap();
        assert_eq!(parts, Parts { train: vec![1, 3], val: vec![2], test: vec![0], note: None });
    }

    #[test]
    fn a_split_that_the_source_lacks_is_carved_from_train_and_told() {
        let rows: Vec<_> = (0..130)
            .map(|place| (place % 2, None, Some(if place < 100 { SplitName::Train } else { SplitName::Test })))
            .collect();
        let parts = divide(&samples(&rows), &split(0.6, 0.15, 0.25), 1).unwrap();
        assert_eq!((parts.train.len(), parts.val.len()), (80, 20));
        assert_eq!(parts.test, (100..130).collect::<Vec<_>>());
        assert!(parts.val.iter().all(|place| *place < 100));
        assert_eq!(parts.note.as_deref(), Some("val carved from its train, as it has none of its own"));
        let parts = divide(&samples(&rows[..100]), &split(0.6, 0.2, 0.2), 1).unwrap();
        assert_eq!([60, 20, 20], parts.each().map(|(_, places)| places.len()));
        assert_eq!(parts.note.as_deref(), Some("val and test carved from its train, as it has none of its own"));
    }

    #[test]
    fn what_cannot_be_divided_is_told() {
        let none = (0, None, None);
        assert_eq!(
            error(&[none, none], &Split::default()),
            "2 samples cannot be divided into train, val, test: each split needs at least one"
        );
        let rows: Vec<_> = (0..20).map(|place| (0, Some(place % 2), None)).collect();
        assert_eq!(
            error(&rows, &Split::default()),
            "2 groups cannot be divided into train, val, test: each split needs at least one"
        );
        assert!(divide(&samples(&rows), &split(0.5, 0.5, 0.0), 1).is_ok());
        assert_eq!(error(&[(0, None, Some(SplitName::Val))], &Split::default()), "the split `train` has no images");
    }

    #[test]
    fn own_splits_that_divide_a_group_are_an_error() {
        let rows = [
            (0, Some(1), Some(SplitName::Train)),
            (0, Some(2), Some(SplitName::Val)),
            (0, Some(1), Some(SplitName::Test)),
        ];
        let message = error(&rows, &Split::default());
        assert!(message.starts_with("group `g1` is both in train and in test (`2.png`)"), "{message}");
    }
}
