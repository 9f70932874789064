//! `epochs`.

use super::entries::{Entry, any_sizes, apply_all, apply_all_to_batch, check_some};
use super::{Augment, BatchAugment, BatchValues, Context, ImageAugment, Pixels, WholeBatchAugment};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All of these entries in order, in some epochs only. Epochs are counted over the whole run, from 1,
/// as the terminal shows them.
///
/// `epochs: { from: 3, until: 10, do: [cutout: { size: 0.25 }] }`
///
/// For batches as well:
///
/// `epochs: { until: 20, do: [mixup: { alpha: 0.2 }] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Epochs{E}")]
pub struct Epochs<E> {
    /// The first epoch. Left out, from the run's first on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The last epoch. Left out, to the run's last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The entries.
    #[serde(rename = "do")]
    pub entries: Vec<E>,
}

impl<E: Entry> Epochs<E> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        for (key, epoch) in [("from", self.from), ("until", self.until)] {
            if epoch == Some(0) {
                problems.push(Problem::new(at.key(key), "there is no epoch 0").help("epochs are counted from 1"));
            }
        }
        match (self.from, self.until) {
            (None, None) => {
                let problem = Problem::new(at.clone(), "neither `from` nor `until` says which epochs");
                problems.push(problem.help("expected one of them at least: `epochs: { from: 3, do: [...] }`"));
            }
            (Some(from), Some(until)) if until < from => {
                let problem = Problem::new(at.key("until"), format!("no epoch is from {from} on and until {until}"));
                problems.push(problem.help("`until` is the last epoch in which the entries are applied"));
            }
            _ => {}
        }
        check_some(&self.entries, &at.key("do"), problems);
    }

    fn holds(&self, epoch: u64) -> bool {
        self.from.is_none_or(|from| from <= epoch) && self.until.is_none_or(|until| epoch <= until)
    }
}

impl ImageAugment for Epochs<Augment> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        self.check(at, problems);
    }

    fn sizes(&self) -> bool {
        any_sizes(&self.entries)
    }

    fn depends_on_epoch(&self) -> bool {
        true
    }

    fn apply(&self, image: Pixels, context: Context, random: &mut Stream) -> Pixels {
        if self.holds(context.epoch) { apply_all(&self.entries, image, context, random.key()) } else { image }
    }
}

impl WholeBatchAugment for Epochs<BatchAugment> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        self.check(at, problems);
    }

    fn apply(&self, batch: &mut BatchValues, epoch: u64, random: &mut Stream) {
        if self.holds(epoch) {
            apply_all_to_batch(&self.entries, batch, epoch, random.key());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{grey, refused, stream};
    use super::super::{Invert, Mixup};
    use super::*;

    fn active(from: Option<u64>, until: Option<u64>) -> Vec<u64> {
        let epochs = Epochs { from, until, entries: vec![Augment::Invert(Invert { p: 1.0 })] };
        let image = grey(&[[3, 4]]);
        let inverted = |epoch: &u64| {
            let context = Context { target: [1, 2], epoch: *epoch };
            epochs.apply(image.clone(), context, &mut stream(0)) != image
        };
        (1..=6).filter(inverted).collect()
    }

    #[test]
    fn entries_are_applied_from_the_first_to_the_last_epoch() {
        assert_eq!(active(Some(2), Some(4)), [2, 3, 4]);
        assert_eq!(active(Some(5), None), [5, 6]);
        assert_eq!(active(None, Some(1)), [1]);
    }

    #[test]
    fn batches_know_the_epoch_too() {
        let epochs =
            Epochs { from: None, until: Some(2), entries: vec![BatchAugment::Mixup(Mixup { alpha: 1.0, p: 1.0 })] };
        let before = BatchValues {
            samples: 3,
            dims: [1, 1, 1],
            classes: 2,
            images: vec![0.0, 1.0, 5.0],
            targets: vec![0.0, 1.0, 1.0, 0.0, 0.0, 1.0],
        };
        let changed = |epoch| {
            (0..20).any(|n| {
                let mut batch = before.clone();
                epochs.apply(&mut batch, epoch, &mut stream(n));
                batch != before
            })
        };
        assert_eq!([1, 2, 3].map(changed), [true, true, false]);
    }

    #[test]
    fn impossible_epochs_are_refused() {
        let entries = || vec![Augment::Invert(Invert { p: 1.0 })];
        assert_eq!(refused(&Epochs { from: Some(3), until: Some(2), entries: entries() }), ["a.until"]);
        assert_eq!(refused(&Epochs { from: Some(0), until: Some(0), entries: entries() }), ["a.from", "a.until"]);
        assert_eq!(refused(&Epochs { from: None, until: None, entries: entries() }), ["a"]);
        assert_eq!(refused(&Epochs::<Augment> { from: Some(3), until: Some(3), entries: vec![] }), ["a.do"]);
    }
}
