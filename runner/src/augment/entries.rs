//! Lists of entries, at the top and within other entries.

use super::{Augment, BatchValues, Context, ImageAugment, Pixels, WholeBatchAugment};
use crate::random::Key;
use crate::spec::{Path, Problem, Problems};

/// An entry of a list.
pub trait Entry {
    /// The name, as YAML has it.
    fn name(&self) -> &'static str;

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    fn check(&self, at: &Path, problems: &mut Problems);
}

/// Notes every argument of the entries that is out of range. `at` is where the list stands.
pub fn check_all(entries: &[impl Entry], at: &Path, problems: &mut Problems) {
    for (place, entry) in entries.iter().enumerate() {
        entry.check(&at.index(place).key(entry.name()), problems);
    }
}

/// As [`check_all`], and notes a list without entries.
pub fn check_some(entries: &[impl Entry], at: &Path, problems: &mut Problems) {
    if entries.is_empty() {
        let problem = Problem::new(at.clone(), "there is nothing to do");
        problems.push(problem.help("expected a list of augmentations: `[horizontal_flip: 0.5]`"));
    }
    check_all(entries, at, problems);
}

/// Whether an entry decides on the size.
pub fn any_sizes(entries: &[Augment]) -> bool {
    entries.iter().any(ImageAugment::sizes)
}

/// The image after all entries, in order. Entry i draws from `key.with(i)`.
pub fn apply_all(entries: &[Augment], mut image: Pixels, context: Context, key: Key) -> Pixels {
    for (place, entry) in entries.iter().enumerate() {
        image = entry.apply(image, context, &mut key.with(place as u64).stream());
    }
    image
}

/// Varies the batch by all entries, in order. Entry i draws from `key.with(i)`.
pub fn apply_all_to_batch(entries: &[impl WholeBatchAugment], batch: &mut BatchValues, epoch: u64, key: Key) {
    for (place, entry) in entries.iter().enumerate() {
        entry.apply(batch, epoch, &mut key.with(place as u64).stream());
    }
}
