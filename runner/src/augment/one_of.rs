//! `one_of`.

use super::entries::{Entry, any_sizes, check_some};
use super::{Augment, BatchAugment, BatchValues, Context, ImageAugment, Pixels, WholeBatchAugment};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of these entries, each time another one, all equally likely.
///
/// `one_of: [gaussian_blur: { sigma: [0.5, 1.5] }, sharpen: { factor: [1, 3] }]`
///
/// For batches as well:
///
/// `one_of: [mixup, cutmix]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "OneOf{E}")]
pub struct OneOf<E> {
    /// What is drawn from.
    pub entries: Vec<E>,
}

impl<E: Entry> OneOf<E> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_some(&self.entries, at, problems);
    }

    /// The entry drawn, and what it draws from.
    fn draw(&self, random: &mut Stream) -> Option<(&E, Stream)> {
        let place = random.below(self.entries.len());
        Some((self.entries.get(place)?, random.key().with(place as u64).stream()))
    }
}

impl ImageAugment for OneOf<Augment> {
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
        match self.draw(random) {
            Some((entry, mut random)) => entry.apply(image, context, &mut random),
            None => image,
        }
    }
}

impl WholeBatchAugment for OneOf<BatchAugment> {
    fn check(&self, at: &Path, problems: &mut Problems) {
        self.check(at, problems);
    }

    fn apply(&self, batch: &mut BatchValues, epoch: u64, random: &mut Stream) {
        if let Some((entry, mut random)) = self.draw(random) {
            entry.apply(batch, epoch, &mut random);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, grey, refused};
    use super::super::{HorizontalFlip, Invert, Posterize};
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_entry_is_drawn_as_often() {
        let one_of = OneOf {
            entries: vec![
                Augment::Invert(Invert { p: 1.0 }),
                Augment::HorizontalFlip(HorizontalFlip { p: 1.0 }),
                Augment::Posterize(Posterize { bits: [1, 1] }),
            ],
        };
        let mut counts = BTreeMap::new();
        for n in 0..900 {
            *counts.entry(apply(&one_of, &grey(&[[10, 200]]), n).bytes).or_insert(0) += 1;
        }
        let drawn: Vec<_> = counts.keys().cloned().collect();
        assert_eq!(drawn, [[0, 128], [200, 10], [245, 55]]);
        assert!(counts.values().all(|count| (240..360).contains(count)), "{counts:?}");
    }

    #[test]
    fn problems_point_at_the_entry_within() {
        let entries = vec![Augment::Invert(Invert { p: 1.0 }), Augment::Posterize(Posterize { bits: [1, 9] })];
        assert_eq!(refused(&OneOf { entries }), ["a.1.posterize.bits"]);
        assert_eq!(refused(&OneOf::<Augment> { entries: vec![] }), ["a"]);
    }
}
