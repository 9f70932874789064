//! Reads, augments and normalizes samples on several threads, in an order that depends on the
//! seed and the epoch alone.

mod batches;
mod work;

use super::cache::Leads;
use super::{BadImage, Dataset};
use crate::augment::{Augmentation, Prepare};
use crate::plan::Normalization;
use crate::random::{Key, Purpose};
use crate::spec::Image;
use batches::{Batches, Rows};
use std::ops::Range;
use std::sync::Arc;
use work::{Forms, Mode, Work};

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
    /// Each row's identity for random layers: its place in the data set's samples, and above bit 40 how
    /// often the order had it before (0 unless classes are oversampled).
    pub samples: Vec<u64>,
    /// What a frozen part of the net made of the images, where that was kept; then there are no images.
    pub features: Option<Features>,
}

/// What the first nodes of a net give for the rows of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// The first node that is still to run.
    pub node: usize,
    /// Each row's activations, one after the other.
    pub values: Vec<f32>,
}

impl Batch {
    /// Each row's place in the data set's samples.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.samples.iter().map(|identity| batches::place(*identity))
    }
}

/// Batches that are made while others are used.
pub trait Upcoming: Iterator<Item = Result<Batch, BadImage>> {
    /// The batch that comes next, if it is made by now and can be read: does not wait for it.
    fn look(&mut self) -> Option<&Batch>;
}

/// Batches, and those that are made once these are read.
struct Then<I> {
    first: Batches,
    rest: I,
}

impl<I: Iterator<Item = Result<Batch, BadImage>>> Iterator for Then<I> {
    type Item = Result<Batch, BadImage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.first.next().or_else(|| self.rest.next())
    }
}

impl<I: Iterator<Item = Result<Batch, BadImage>>> Upcoming for Then<I> {
    fn look(&mut self) -> Option<&Batch> {
        self.first.look()
    }
}

/// Hands out batches.
///
/// What a batch holds depends on the data, the seed, the epoch and the order asked for, to the last
/// bit; not on the number of workers, nor on timing.
pub struct Loader {
    work: Arc<Work>,
    seed: u64,
    workers: usize,
}

/// Samples in the random order of an epoch.
pub fn shuffled(indices: &[usize], seed: u64, epoch: u64) -> Vec<usize> {
    let mut order = indices.to_vec();
    Key::new(seed, Purpose::Shuffle).with(epoch).stream().shuffle(&mut order);
    order
}

/// Of each batch of an order those rows that `own` gives for the number of them: those of all full batches, and
/// those of the last.
fn own_rows(order: &[usize], size: usize, own: &dyn Fn(usize) -> Range<usize>) -> [Rows; 2] {
    let (all, full) = (Rows::of(order), order.len() / size);
    let (own_full, own_rest) = (own(size), own(order.len() % size));
    let of_full = (0..full).flat_map(|batch| own_full.clone().map(move |row| batch * size + row));
    [all.select(of_full), all.select(own_rest.map(|row| full * size + row))]
}

/// The samples that are in [`Loader::training_own`]'s batches, in their order.
pub fn own_samples(order: &[usize], size: usize, own: &dyn Fn(usize) -> Range<usize>) -> Vec<usize> {
    let [full, rest] = own_rows(order, size.max(1), own);
    [full.order, rest.order].concat()
}

/// The most images that are in memory as batches of `size` at once: those that are made ahead, with
/// their bytes until they are made, and the reader's own.
pub fn held(size: usize, workers: usize) -> usize {
    batches::ahead(size, workers).saturating_add(2).saturating_mul(size)
}

impl Loader {
    /// A loader over a data set, reading on `workers` threads (at least one).
    #[allow(clippy::needless_pass_by_value)] // Like the rest of what it is made from.
    pub fn new(
        data: Dataset,
        image: Image,
        normalize: &Normalization,
        augmentation: Augmentation,
        seed: u64,
        workers: usize,
    ) -> Self {
        let leads = Leads::new(&image, &augmentation);
        let views = augmentation.test.map(|test| Prepare::new(image.clone(), normalize, test.entries));
        let prepare = Prepare::new(image, normalize, augmentation.train);
        let work = Work { forms: Forms::of(&data, leads), data, prepare, views, batch: augmentation.batch, seed };
        Loader { work: Arc::new(work), seed, workers: workers.max(1) }
    }

    /// The samples in the random order of an epoch.
    pub fn shuffled(&self, indices: &[usize], epoch: u64) -> Vec<usize> {
        shuffled(indices, self.seed, epoch)
    }

    /// Batches of `size` over the samples `order`, each augmented by (seed, epoch, sample), and by how often
    /// it came before where it comes more than once. At most
    /// a few batches are ahead of the reader. The last batch may be smaller. A batch that holds an
    /// unreadable image is an error in its place; the batches after it still come.
    pub fn training(&self, order: &[usize], size: usize, epoch: u64) -> Box<dyn Upcoming> {
        self.training_from(order, size, epoch, 0)
    }

    /// As [`Loader::training`], from the batch with number `first` on.
    pub fn training_from(&self, order: &[usize], size: usize, epoch: u64, first: usize) -> Box<dyn Upcoming> {
        let (work, rows) = (Arc::clone(&self.work), Rows::of(order));
        Box::new(Batches::start_at(work, Mode::Training { epoch }, rows, size.max(1), self.workers, first))
    }

    /// As [`Loader::training_from`], of each batch those rows alone that `own` gives for the number of them. Where
    /// augmentation acts on whole batches, it acts on these.
    pub fn training_own(
        &self,
        order: &[usize],
        size: usize,
        epoch: u64,
        first: usize,
        own: &dyn Fn(usize) -> Range<usize>,
    ) -> Box<dyn Upcoming> {
        let (size, mode) = (size.max(1), Mode::Training { epoch });
        let (work, workers) = (Arc::clone(&self.work), self.workers);
        let [full, rest] = own_rows(order, size, own);
        let (own_size, full_batches) = (own(size).len().max(1), order.len() / size);
        let full = Batches::start_at(Arc::clone(&work), mode, full, own_size, workers, first);
        if rest.order.is_empty() || first > full_batches {
            return Box::new(full);
        }
        // Its images are read when it comes.
        let rest = std::iter::once(rest).flat_map(move |rest| {
            let size = rest.order.len();
            Batches::start(Arc::clone(&work), mode, rest, size, workers)
        });
        Box::new(Then { first: full, rest })
    }

    /// Batches of `size` over the samples `order`, not augmented, in this order.
    pub fn evaluation(&self, order: &[usize], size: usize) -> Box<dyn Iterator<Item = Result<Batch, BadImage>> + '_> {
        self.batches(order, size, Mode::Evaluation)
    }

    /// As [`Loader::evaluation`], by one of the views that the augmentation has for tests. View 0 is the
    /// image as it is.
    pub fn view(
        &self,
        order: &[usize],
        size: usize,
        view: usize,
    ) -> Box<dyn Iterator<Item = Result<Batch, BadImage>> + '_> {
        self.batches(order, size, if view == 0 { Mode::Evaluation } else { Mode::View(view) })
    }

    /// As [`Loader::training_from`], without the images and without what acts on whole batches.
    pub fn bare(&self, order: &[usize], size: usize, first: usize) -> impl Iterator<Item = Batch> + use<> {
        self.bare_own(order, size, first, &|rows| 0..rows)
    }

    /// As [`Loader::bare`], of each batch those rows alone that `own` gives for the number of them.
    pub fn bare_own(
        &self,
        order: &[usize],
        size: usize,
        first: usize,
        own: &dyn Fn(usize) -> Range<usize>,
    ) -> impl Iterator<Item = Batch> + use<> {
        let (work, size, order) = (Arc::clone(&self.work), size.max(1), order.to_vec());
        let identities = Rows::of(&order).identities();
        let (own_full, own_rest) = (own(size), own(order.len() % size));
        (first..order.len().div_ceil(size)).map(move |number| {
            let begin = number * size;
            let own = if begin + size <= order.len() { &own_full } else { &own_rest };
            let rows = begin + own.start..begin + own.end;
            work.bare(&order[rows.clone()], identities[rows].to_vec())
        })
    }

    fn batches(
        &self,
        order: &[usize],
        size: usize,
        mode: Mode,
    ) -> Box<dyn Iterator<Item = Result<Batch, BadImage>> + '_> {
        Box::new(Batches::start(Arc::clone(&self.work), mode, Rows::alike(order), size.max(1), self.workers))
    }
}

#[cfg(test)]
mod tests;
