//! Reads, augments and normalizes samples on several threads, in an order that depends on the
//! seed and the epoch alone.

use super::{BadImage, Dataset};
use crate::augment::Augmentation;
use crate::plan::Normalization;
use crate::random::Key;
use crate::spec::Image;

/// A batch as the net gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Images, normalized, (N, H, W, C).
    pub images: Vec<f32>,
    /// (N, H, W, C).
    pub dims: [usize; 4],
    /// Each row's class.
    pub labels: Vec<usize>,
    /// Each row's probabilities of the classes, (N, K): one-hot, unless a batch augmentation mixed
    /// rows. Label smoothing and class weights are not in it yet.
    pub targets: Vec<f32>,
    /// Each row's place in the data set's samples: its identity for random layers.
    pub samples: Vec<u64>,
}

/// Hands out batches.
pub struct Loader {}

impl Loader {
    /// A loader over a data set.
    pub fn new(
        data: Dataset,
        image: Image,
        normalize: Normalization,
        augmentation: Augmentation,
        seed: u64,
        workers: usize,
    ) -> Self {
        let _ = (data, image, normalize, augmentation, seed, workers);
        todo!()
    }

    /// Batches of `size` over the samples `order`, each augmented by (seed, epoch, sample). At most
    /// a few batches are ahead of the reader.
    pub fn training(
        &self,
        order: &[usize],
        size: usize,
        epoch: u64,
    ) -> Box<dyn Iterator<Item = Result<Batch, BadImage>> + '_> {
        let _ = (order, size, epoch, Key::new(0, crate::random::Purpose::Augment));
        todo!()
    }

    /// Batches of `size` over the samples `order`, not augmented, in this order.
    pub fn evaluation(&self, order: &[usize], size: usize) -> Box<dyn Iterator<Item = Result<Batch, BadImage>> + '_> {
        let _ = (order, size);
        todo!()
    }
}
