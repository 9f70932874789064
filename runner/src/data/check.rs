//! Looks for images that cannot be read, before training starts.

use super::{BadImage, DataError, Dataset};
use crate::spec::Data;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many bad images a message names.
const NAMED: usize = 5;

/// A check that takes longer shows how far it is.
const QUIET: Duration = Duration::from_secs(1);

/// Reads every image of the splits, with `workers` threads, and gives those that cannot be read,
/// in the order of the samples.
pub fn scan(dataset: &Dataset, workers: usize) -> Vec<BadImage> {
    let mut places: Vec<usize> = [&dataset.train, &dataset.val, &dataset.test].into_iter().flatten().copied().collect();
    places.sort_unstable();
    let progress = Progress::new(places.len());
    let read = |place: &usize| {
        let bad = dataset.samples.samples.get(*place).and_then(|sample| dataset.images.read(sample).err());
        progress.step();
        bad
    };
    // Where no threads can be made, the check is slow but right.
    match rayon::ThreadPoolBuilder::new().num_threads(workers.max(1)).build() {
        Ok(pool) => pool.install(|| places.par_iter().filter_map(read).collect()),
        Err(_) => places.iter().filter_map(read).collect(),
    }
}

/// The data without the images that cannot be read; an error where they are more than `max_bad` of
/// all, or where nothing is left of a split.
pub fn leave_out(dataset: Dataset, bad: &[BadImage], data: &Data) -> Result<Dataset, DataError> {
    let all = dataset.train.len() + dataset.val.len() + dataset.test.len();
    let share = bad.len() as f64 / all.max(1) as f64;
    if share > data.max_bad {
        return Err(DataError::invalid(format!(
            "{} of {all} images cannot be read ({:.1} %, `data.max_bad` lets {:.1} % pass):\n{}",
            bad.len(),
            share * 100.0,
            data.max_bad * 100.0,
            listed(bad)
        )));
    }
    let rest = dataset.without(bad);
    for (name, places, wanted) in
        [("train", &rest.train, 1.0), ("val", &rest.val, data.split.val), ("test", &rest.test, data.split.test)]
    {
        if places.is_empty() && wanted > 0.0 {
            return Err(DataError::invalid(format!(
                "none of the images of the split `{name}` can be read:\n{}",
                listed(bad)
            )));
        }
    }
    Ok(rest)
}

/// The first of the bad images, a line each.
pub fn listed(bad: &[BadImage]) -> String {
    let mut lines: Vec<String> = bad.iter().take(NAMED).map(|image| format!("  {image}")).collect();
    if bad.len() > NAMED {
        lines.push(format!("  and {} more", bad.len() - NAMED));
    }
    lines.join("\n")
}

/// A bar that shows itself only when there is something to wait for.
struct Progress {
    bar: ProgressBar,
    start: Instant,
    shown: AtomicBool,
}

impl Progress {
    fn new(length: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("checking images {bar:30} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        Progress { bar, start: Instant::now(), shown: AtomicBool::new(false) }
    }

    fn step(&self) {
        if self.start.elapsed() > QUIET && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
