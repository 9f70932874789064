//! Augmentations of features: of what the frozen part of a net makes of images.

use super::{BatchValues, Entry, Mixup, WholeBatchAugment, catalogue};
use crate::random::Stream;
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
        WholeBatchAugment::check(self, at, problems);
    }
}

/// The features of a batch are where its images would be.
impl WholeBatchAugment for FeatureAugment {
    fn check(&self, at: &Path, problems: &mut Problems) {
        let FeatureAugment::Mixup(mixup) = self;
        mixup.check(at, problems);
    }

    fn apply(&self, batch: &mut BatchValues, epoch: u64, random: &mut Stream) {
        let FeatureAugment::Mixup(mixup) = self;
        mixup.apply(batch, epoch, random);
    }
}
