//! `sometimes`.

use super::arguments::check_probability;
use super::entries::{Entry, any_sizes, apply_all, apply_all_to_batch, check_some};
use super::{Augment, BatchAugment, BatchValues, Context, ImageAugment, Pixels, WholeBatchAugment};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All of these entries in order, with this probability; else none.
///
/// `sometimes: { p: 0.3, do: [rotate90, gaussian_blur: { sigma: [0.5, 2] }] }`
///
/// For batches as well:
///
/// `sometimes: { p: 0.5, do: [cutmix] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sometimes{E}")]
pub struct Sometimes<E> {
    /// Probability, in [0, 1].
    pub p: f32,
    /// The entries.
    #[serde(rename = "do")]
    pub entries: Vec<E>,
}

impl<E: Entry> Sometimes<E> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_probability(self.p, at.key("p"), problems);
        check_some(&self.entries, &at.key("do"), problems);
    }
}

impl ImageAugment for Sometimes<Augment> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        self.check(at, problems);
    }

    fn sizes(&self) -> bool {
        any_sizes(&self.entries)
    }

    fn depends_on_epoch(&self) -> bool {
        self.entries.iter().any(ImageAugment::depends_on_epoch)
    }

    fn apply(&self, image: Pixels, context: Context, random: &mut Stream) -> Pixels {
        if random.chance(self.p) { apply_all(&self.entries, image, context, random.key()) } else { image }
    }
}

impl WholeBatchAugment for Sometimes<BatchAugment> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        self.check(at, problems);
    }

    fn apply(&self, batch: &mut BatchValues, epoch: u64, random: &mut Stream) {
        if random.chance(self.p) {
            apply_all_to_batch(&self.entries, batch, epoch, random.key());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::super::{HorizontalFlip, Invert};
    use super::*;

    #[test]
    fn all_or_none_as_often_as_it_says() {
        let entries = vec![Augment::Invert(Invert { p: 1.0 }), Augment::HorizontalFlip(HorizontalFlip { p: 1.0 })];
        let sometimes = Sometimes { p: 0.25, entries };
        let drawn: Vec<_> = (0..1000).map(|n| apply(&sometimes, &grey(&[[10, 200]]), n).bytes).collect();
        assert!(drawn.iter().all(|bytes| *bytes == [10, 200] || *bytes == [55, 245]));
        let done = drawn.iter().filter(|bytes| bytes[0] == 55).count();
        assert!((200..300).contains(&done), "{done} of 1000");
    }

    #[test]
    fn entries_draw_on_their_own() {
        // Two flips of even chance: they agree half of the time, not always.
        let flip = || Augment::HorizontalFlip(HorizontalFlip { p: 0.5 });
        let invert = Augment::Invert(Invert { p: 0.5 });
        let sometimes = Sometimes { p: 1.0, entries: vec![flip(), invert] };
        let mut drawn: Vec<_> = (0..50).map(|n| apply(&sometimes, &grey(&[[10, 200]]), n).bytes).collect();
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), 4);
    }

    #[test]
    fn problems_point_at_the_key_or_the_entry_within() {
        let entries = vec![Augment::Invert(Invert { p: 3.0 })];
        assert_eq!(refused(&Sometimes { p: 2.0, entries }), ["a.p", "a.do.0.invert"]);
        assert_eq!(refused(&Sometimes::<Augment> { p: 1.0, entries: vec![] }), ["a.do"]);
    }
}
