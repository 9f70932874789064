//! Deals units of samples into buckets of given shares, so that every bucket gets its share of the
//! whole and of every class.

/// Samples that stay together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Places of the samples.
    pub members: Vec<usize>,
    /// How many members each class has, for the classes that have any.
    pub counts: Vec<(usize, usize)>,
}

/// The bucket of each unit. `shares` are the buckets' and sum to 1. No bucket stays empty where
/// there are at least as many units as buckets. Depends on the order of the units.
pub fn deal(units: &[Unit], shares: &[f64]) -> Vec<usize> {
    let mut table = Table::new(units, shares);
    if units.iter().all(|unit| unit.members.len() == 1) {
        table.deal_singles();
        table.fill_empty();
    } else {
        table.deal_groups();
        table.fill_empty();
        table.refine();
    }
    table.bucket
}

/// Units being dealt out.
struct Table<'a> {
    units: &'a [Unit],
    shares: &'a [f64],
    /// The bucket of each unit.
    bucket: Vec<usize>,
    /// Units in each bucket.
    size: Vec<usize>,
    /// Samples of each class, over all units; last the sum over the classes.
    all: Vec<f64>,
    /// The same of each bucket.
    have: Vec<Vec<f64>>,
    /// Classes that have samples.
    present: f64,
}

/// The bucket of a unit that is not dealt yet.
const UNDEALT: usize = usize::MAX;

impl<'a> Table<'a> {
    fn new(units: &'a [Unit], shares: &'a [f64]) -> Self {
        let classes = units.iter().flat_map(|unit| &unit.counts).map(|(class, _)| class + 1).max().unwrap_or(0);
        let mut all = vec![0.0; classes + 1];
        for (class, count) in units.iter().flat_map(|unit| &unit.counts) {
            all[*class] += *count as f64;
            all[classes] += *count as f64;
        }
        Table {
            units,
            shares,
            bucket: vec![UNDEALT; units.len()],
            size: vec![0; shares.len()],
            present: all[..classes].iter().filter(|count| **count > 0.0).count() as f64,
            all,
            have: vec![vec![0.0; classes + 1]; shares.len()],
        }
    }

    /// Class by class, each unit to the bucket that is furthest behind its share. The debts run on
    /// from class to class, so that the buckets are right in each class and over all.
    fn deal_singles(&mut self) {
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(|&unit| self.units[unit].counts.first().map(|(class, _)| *class));
        let mut debt = vec![0.0; self.shares.len()];
        for unit in order {
            for (debt, share) in debt.iter_mut().zip(self.shares) {
                *debt += share;
            }
            // Reversed, as `max_by` takes the last of equals.
            let furthest = (0..debt.len()).rev().max_by(|&a, &b| debt[a].total_cmp(&debt[b]));
            if let Some(bucket) = furthest {
                debt[bucket] -= 1.0;
                self.put(unit, bucket);
            }
        }
    }

    /// The largest unit first, each to the bucket where it does most good.
    fn deal_groups(&mut self) {
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(|&unit| std::cmp::Reverse(self.units[unit].members.len()));
        for unit in order {
            if let Some((_, bucket)) = self.best(unit) {
                self.put(unit, bucket);
            }
        }
    }

    /// Gives each bucket that got nothing the smallest unit of the bucket with the most units.
    fn fill_empty(&mut self) {
        while let Some(empty) = self.size.iter().position(|size| *size == 0) {
            let Some(fullest) = (0..self.size.len()).max_by_key(|&bucket| self.size[bucket]) else { return };
            let smallest = (0..self.units.len())
                .filter(|&unit| self.bucket[unit] == fullest)
                .min_by_key(|&unit| self.units[unit].members.len());
            match smallest {
                Some(unit) if self.size[fullest] > 1 => {
                    self.take(unit);
                    self.put(unit, empty);
                }
                _ => return,
            }
        }
    }

    /// Moves single units, as long as that brings the buckets nearer to their shares.
    fn refine(&mut self) {
        // Each move lowers the cost, so this ends by itself; the bound keeps the time in hand.
        for _ in 0..50 {
            let mut moved = false;
            for unit in 0..self.units.len() {
                let from = self.bucket[unit];
                if self.size[from] < 2 {
                    continue;
                }
                self.take(unit);
                let stay = self.change(unit, from);
                match self.best(unit) {
                    Some((change, to)) if change < stay - 1e-9 => {
                        self.put(unit, to);
                        moved = true;
                    }
                    _ => self.put(unit, from),
                }
            }
            if !moved {
                break;
            }
        }
    }

    /// The bucket to which adding a unit costs least, and what it costs.
    fn best(&self, unit: usize) -> Option<(f64, usize)> {
        (0..self.size.len()).map(|bucket| (self.change(unit, bucket), bucket)).min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// By how much the cost changes when a unit is added to a bucket. The cost is the squared
    /// distance of a bucket's counts from its share. Each class weighs the same, and the sum over
    /// the classes as much as they together.
    fn change(&self, unit: usize, bucket: usize) -> f64 {
        let added = |class: usize, count: f64| {
            let off = self.have[bucket][class] - self.shares[bucket] * self.all[class];
            (2.0 * off + count) * count / self.all[class].max(1.0)
        };
        let unit = &self.units[unit];
        let classes: f64 = unit.counts.iter().map(|(class, count)| added(*class, *count as f64)).sum();
        classes + self.present * added(self.all.len() - 1, unit.members.len() as f64)
    }

    fn put(&mut self, unit: usize, bucket: usize) {
        self.bucket[unit] = bucket;
        self.size[bucket] += 1;
        self.count(unit, bucket, 1.0);
    }

    fn take(&mut self, unit: usize) {
        let bucket = std::mem::replace(&mut self.bucket[unit], UNDEALT);
        self.size[bucket] -= 1;
        self.count(unit, bucket, -1.0);
    }

    fn count(&mut self, unit: usize, bucket: usize, sign: f64) {
        let have = &mut self.have[bucket];
        for (class, count) in &self.units[unit].counts {
            have[*class] += sign * *count as f64;
        }
        if let Some(sum) = have.last_mut() {
            *sum += sign * self.units[unit].members.len() as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Samples of each class in each bucket; last the sum over the classes.
    fn counts(units: &[Unit], buckets: &[usize], shares: usize, classes: usize) -> Vec<Vec<f64>> {
        let mut counts = vec![vec![0.0; classes + 1]; shares];
        for (unit, bucket) in units.iter().zip(buckets) {
            for (class, count) in &unit.counts {
                counts[*bucket][*class] += *count as f64;
                counts[*bucket][classes] += *count as f64;
            }
        }
        counts
    }

    /// Units that hold these classes.
    fn units(groups: &[Vec<usize>]) -> Vec<Unit> {
        let mut place = 0..;
        groups
            .iter()
            .map(|labels| {
                let mut counts = std::collections::BTreeMap::new();
                for label in labels {
                    *counts.entry(*label).or_default() += 1;
                }
                Unit { members: place.by_ref().take(labels.len()).collect(), counts: counts.into_iter().collect() }
            })
            .collect()
    }

    fn shares() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(1u32..20, 1..6).prop_map(|parts| {
            let total: u32 = parts.iter().sum();
            parts.iter().map(|part| f64::from(*part) / f64::from(total)).collect()
        })
    }

    proptest! {
        #[test]
        fn singles_are_near_their_share_in_every_class_and_over_all(
            labels in prop::collection::vec(0usize..4, 30..400), shares in shares(),
        ) {
            let units = units(&labels.iter().map(|label| vec![*label]).collect::<Vec<_>>());
            let buckets = deal(&units, &shares);
            let counts = counts(&units, &buckets, shares.len(), 4);
            for (bucket, share) in shares.iter().enumerate() {
                for (class, count) in counts[bucket].iter().enumerate().take(4) {
                    let all = labels.iter().filter(|label| **label == class).count() as f64;
                    prop_assert!((count - share * all).abs() < 3.0);
                }
                prop_assert!((counts[bucket][4] - share * labels.len() as f64).abs() < 2.0);
                prop_assert!(counts[bucket][4] > 0.0);
            }
        }

        #[test]
        fn groups_are_as_near_to_their_share_as_the_largest_group_allows(
            groups in prop::collection::vec(prop::collection::vec(0usize..3, 1..9), 40..120), shares in shares(),
        ) {
            let units = units(&groups);
            let buckets = deal(&units, &shares);
            let counts = counts(&units, &buckets, shares.len(), 3);
            let all: usize = groups.iter().map(Vec::len).sum();
            for (bucket, share) in shares.iter().enumerate() {
                prop_assert!((counts[bucket][3] - share * all as f64).abs() <= 8.0);
                for (class, count) in counts[bucket].iter().enumerate().take(3) {
                    let of = groups.iter().flatten().filter(|label| **label == class).count() as f64;
                    prop_assert!((count - share * of).abs() <= 8.0);
                }
            }
        }

        #[test]
        fn no_bucket_is_empty_when_there_are_units_enough(
            groups in prop::collection::vec(prop::collection::vec(0usize..3, 1..30), 5..9), shares in shares(),
        ) {
            let buckets = deal(&units(&groups), &shares);
            for bucket in 0..shares.len() {
                prop_assert!(buckets.contains(&bucket));
            }
        }
    }

    #[test]
    fn many_small_classes_still_fill_every_bucket() {
        // Three of each: by class alone, rounding would never give the last bucket anything.
        let units = units(&(0..30).map(|i| vec![i / 3]).collect::<Vec<_>>());
        let counts = counts(&units, &deal(&units, &[0.7, 0.2, 0.1]), 3, 10);
        assert_eq!(counts.iter().map(|bucket| bucket[10]).collect::<Vec<_>>(), [21.0, 6.0, 3.0]);
    }
}
