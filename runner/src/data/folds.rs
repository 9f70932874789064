//! `data.split.folds`: cross-validation.

use super::deal::deal;
use super::split::{Parts, SPLITS, by_share, counted, share, units};
use super::{DataError, Samples, SplitName};
use crate::random::{Key, Purpose};
use crate::spec::Split;

/// The test is the fold that is asked for, else the first; the rest is divided by shares. The folds are the
/// same whichever is asked for.
pub fn divide(samples: &Samples, split: &Split, folds: usize, seed: u64) -> Result<Parts, DataError> {
    let places: Vec<usize> = (0..samples.samples.len()).collect();
    let units = units(samples, &places, split.stratify, Key::new(seed, Purpose::Split));
    if units.len() < folds {
        return Err(DataError::invalid(format!(
            "{} cannot be divided into {folds} folds",
            counted(samples, units.len())
        )));
    }
    let fold = split.fold.unwrap_or(1).saturating_sub(1);
    let mut parts = Parts::default();
    let mut rest = Vec::new();
    for (unit, bucket) in units.iter().zip(deal(&units, &vec![1.0 / folds as f64; folds])) {
        let part = if bucket == fold { &mut parts.test } else { &mut rest };
        part.extend_from_slice(&unit.members);
    }
    let shares = SPLITS.map(|name| (name, if name == SplitName::Test { 0.0 } else { share(split, name) }));
    let divided = by_share(samples, &rest, shares, split.stratify, seed)?;
    Ok(Parts { train: divided.train, val: divided.val, ..parts })
}

#[cfg(test)]
mod tests {
    use super::super::split::tests::samples;
    use super::*;
    use crate::data::split::divide;
    use proptest::prelude::*;

    fn of_fold(folds: usize, fold: usize) -> Split {
        Split { folds: Some(folds), fold: Some(fold), ..Split::default() }
    }

    proptest! {
        #[test]
        fn every_sample_is_tested_in_one_fold_and_groups_stay_whole(
            rows in prop::collection::vec((0usize..4, prop::option::of(0usize..30)), 60..200),
            seed in 0u64..1000, folds in 2usize..8,
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(label, group)| (label, group, None)).collect();
            let samples = samples(&rows);
            let mut tested = Vec::new();
            for fold in 1..=folds {
                let parts = divide(&samples, &of_fold(folds, fold), seed).unwrap();
                let mut all: Vec<usize> = parts.each().into_iter().flat_map(|(_, places)| places.to_vec()).collect();
                all.sort_unstable();
                prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>(), "each sample is somewhere in every fold");
                prop_assert!(!parts.train.is_empty() && !parts.val.is_empty());
                tested.extend(parts.test);
            }
            tested.sort_unstable();
            prop_assert_eq!(tested, (0..rows.len()).collect::<Vec<_>>(), "and tested in one");
        }
    }

    #[test]
    fn folds_have_the_classes_in_the_same_proportions() {
        let rows: Vec<_> = (0..100).map(|place| (usize::from(place % 10 == 0), None, None)).collect();
        for fold in 1..=5 {
            let parts = divide(&samples(&rows), &of_fold(5, fold), 1).unwrap();
            let rare = |places: &[usize]| places.iter().filter(|&place| place % 10 == 0).count();
            assert_eq!((parts.test.len(), rare(&parts.test)), (20, 2));
            // Of the other 80, 0.15 / 0.85 are watched.
            assert_eq!((parts.val.len(), rare(&parts.val)), (14, 1));
        }
    }

    #[test]
    fn what_cannot_be_divided_is_told() {
        let rows: Vec<_> = (0..20).map(|place| (0, Some(place % 3), None)).collect();
        let error = divide(&samples(&rows), &of_fold(5, 1), 1).unwrap_err().to_string();
        assert_eq!(error, "3 groups cannot be divided into 5 folds");
        let own = [(0, None, Some(SplitName::Train)), (0, None, None)];
        let error = divide(&samples(&own), &of_fold(2, 1), 1).unwrap_err().to_string();
        assert_eq!(error, "it has splits of its own, and folds would mix them: leave `folds` out");
    }
}
