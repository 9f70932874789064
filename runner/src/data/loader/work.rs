//! What a worker does: prepares one sample, or makes a batch of prepared ones.

use super::Batch;
use crate::augment::{BatchAugment, BatchValues, Lead, Pixels, Prepare, Views, apply_all_to_batch};
use crate::data::cache::{Form, Leads};
use crate::data::{BadImage, Dataset};
use crate::random::{Key, Purpose};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What the batches are for.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// Augmented, by what is drawn in this epoch.
    Training { epoch: u64 },
    /// As they are.
    Evaluation,
    /// The view of this number, from 1: varied as tests are.
    View(usize),
}

/// What the cache calls the images of each mode.
pub struct Forms {
    training: Form,
    evaluation: Form,
    views: Form,
    /// The lead of images as they are.
    as_they_are: Lead,
}

impl Forms {
    /// From now on the cache of `data` keeps images of these leads.
    pub fn of(data: &Dataset, leads: Leads) -> Self {
        let forms = data.cache.admit(&[&leads.training, &leads.evaluation, &leads.views]);
        let form = |place: usize| forms.get(place).copied().unwrap_or_default();
        Forms { training: form(0), evaluation: form(1), views: form(2), as_they_are: leads.evaluation }
    }
}

/// All that a worker needs to know.
pub struct Work {
    pub forms: Forms,
    pub data: Dataset,
    pub prepare: Prepare,
    /// Makes the views of a test.
    pub views: Option<Prepare>,
    pub batch: Vec<BatchAugment>,
    pub seed: u64,
}

impl Work {
    /// One sample, by its place in the data set: read, augmented and brought to size. `repeat` is how often
    /// the epoch had it before: each time it is augmented by numbers of its own.
    pub fn sample(&self, place: usize, repeat: u64, mode: Mode) -> Result<Pixels, BadImage> {
        let Some(sample) = self.data.samples.samples.get(place) else {
            return Err(BadImage { name: format!("sample {place}"), reason: "there is no such sample".to_owned() });
        };
        // A reader of images may be anybody's. A panic must not leave the batch waiting for ever.
        catch_unwind(AssertUnwindSafe(|| {
            let forms = &self.forms;
            Ok(match mode {
                Mode::Training { epoch } => {
                    let image = self.data.image(place, forms.training, self.prepare.lead())?;
                    let key = Key::new(self.seed, Purpose::Augment).with(epoch).with(place as u64);
                    let key = if repeat == 0 { key } else { key.with(repeat) };
                    self.prepare.rest(&image, epoch, key)
                }
                Mode::Evaluation => {
                    let image = self.data.image(place, forms.evaluation, &forms.as_they_are)?;
                    self.prepare.evaluation(Arc::unwrap_or_clone(image))
                }
                Mode::View(view) => {
                    let own = self.views.as_ref().map(|views| (views, forms.views));
                    let (prepare, form) = own.unwrap_or((&self.prepare, forms.training));
                    let image = self.data.image(place, form, prepare.lead())?;
                    prepare.rest(&image, Views::EPOCH, Views::key(self.seed, place as u64, view))
                }
            })
        }))
        .unwrap_or_else(|_| Err(BadImage { name: sample.name.clone(), reason: "reading it broke down".to_owned() }))
    }

    /// The batch of this number, of samples that are prepared.
    pub fn batch(&self, number: usize, places: &[usize], identities: Vec<u64>, images: &[Pixels], mode: Mode) -> Batch {
        let dims = self.prepare.dims();
        let (samples, image_len) = (places.len(), dims.iter().product::<usize>());
        let bare = self.bare(places, identities);
        let mut values = BatchValues {
            samples,
            dims,
            classes: self.data.samples.classes.len(),
            images: Vec::with_capacity(samples * image_len),
            targets: bare.targets,
        };
        for image in images {
            self.prepare.normalize(image, &mut values.images);
        }
        if let Mode::Training { epoch } = mode {
            let key = Key::new(self.seed, Purpose::AugmentBatch).with(epoch).with(number as u64);
            apply_all_to_batch(&self.batch, &mut values, epoch, key);
        }
        Batch { images: values.images, targets: values.targets, ..bare }
    }

    /// A batch without its images.
    pub fn bare(&self, places: &[usize], samples: Vec<u64>) -> Batch {
        let [height, width, channels] = self.prepare.dims();
        let labels: Vec<usize> =
            places.iter().filter_map(|&place| Some(self.data.samples.samples.get(place)?.label)).collect();
        Batch {
            images: Vec::new(),
            dims: [places.len(), height, width, channels],
            targets: one_hot(&labels, self.data.samples.classes.len()),
            labels,
            samples,
            features: None,
        }
    }
}

/// Rows of zeros with a 1 at the label, (N, K).
fn one_hot(labels: &[usize], classes: usize) -> Vec<f32> {
    let mut targets = vec![0.0; labels.len() * classes];
    for (row, &label) in targets.chunks_exact_mut(classes.max(1)).zip(labels) {
        if let Some(target) = row.get_mut(label) {
            *target = 1.0;
        }
    }
    targets
}
