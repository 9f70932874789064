//! Augmentations of features: of what the frozen part of a net makes of images.

use super::{BatchValues, Entry, Mixup, WholeBatchAugment, catalogue};
use crate::random::Key;
use crate::spec::{Path, Problems};

catalogue::catalogue! {
    /// Any augmentation of features.
    FeatureAugment, "augmentation of features";
    /// Blends the features of pairs of images, and their targets (Verma et al. 2019).
    Mixup(Mixup) = "mixup",
}

impl Entry for FeatureAugment {
    fn name(&self) -> &'static str {
        FeatureAugment::name(self)
    }

    fn check(&self, at: &Path, problems: &mut Problems) {
        let FeatureAugment::Mixup(mixup) = self;
        mixup.check(at, problems);
    }
}

/// Varies the features of a batch, which are where its images would be, by all entries, in order. Entry i draws
/// from `key.with(i)`.
pub fn apply_all_to_features(entries: &[FeatureAugment], batch: &mut BatchValues, epoch: u64, key: Key) {
    for (place, entry) in entries.iter().enumerate() {
        let FeatureAugment::Mixup(mixup) = entry;
        mixup.apply(batch, epoch, &mut key.with(place as u64).stream());
    }
}
