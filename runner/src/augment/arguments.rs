//! Checks that many augmentations make of their arguments.

use crate::spec::{Path, Problem, Problems};
use std::ops::RangeInclusive;

/// Notes a problem at `path` unless `value` is a probability.
pub fn check_probability(value: f32, path: Path, problems: &mut Problems) {
    if !(0.0..=1.0).contains(&value) {
        problems.push(Problem::new(path, format!("{value} is no probability")).help("expected a number from 0 to 1"));
    }
}

/// Notes a problem at `path` unless `value` lies within bounds. NaN lies nowhere.
pub fn check_within<T>(value: T, bounds: RangeInclusive<T>, path: Path, problems: &mut Problems)
where
    T: PartialOrd + Copy + std::fmt::Display,
{
    if !bounds.contains(&value) {
        let problem = Problem::new(path, format!("{value} is out of range"));
        problems.push(problem.help(format!("expected a number from {} to {}", bounds.start(), bounds.end())));
    }
}

/// Notes a problem at `path` unless `[least, greatest]` is a range within bounds.
pub fn check_range<T>([least, greatest]: [T; 2], bounds: RangeInclusive<T>, path: Path, problems: &mut Problems)
where
    T: PartialOrd + std::fmt::Display,
{
    if !(bounds.contains(&least) && bounds.contains(&greatest) && least <= greatest) {
        let problem = Problem::new(path, format!("[{least}, {greatest}] is no range here"));
        let (low, high) = bounds.into_inner();
        problems.push(problem.help(format!("expected [least, greatest] with {low} <= least <= greatest <= {high}")));
    }
}
