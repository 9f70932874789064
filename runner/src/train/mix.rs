//! `augmentation.features`: variation of what the frozen part of the net makes of a batch.

use super::TrainError;
use super::given::rows_until;
use crate::augment::{BatchValues, apply_all_to_batch};
use crate::data::Batch;
use crate::data::loader::Features;
use crate::engine::Kernels;
use crate::net::Net;
use crate::plan::cache::frozen_until;
use crate::plan::{PhasePlan, Plan};
use crate::random::{Key, Purpose};

/// Whether [`vary`] changes anything.
pub fn varies(plan: &Plan) -> bool {
    !plan.spec.augmentation.features.is_empty()
}

/// Varies a batch that trains, the one of this number in an epoch, counted from 1: what the phase's frozen part gives
/// for it, or, where the phase has none, its images.
pub fn vary<D: Kernels>(
    device: &D,
    net: &Net<D>,
    (plan, phase): (&Plan, &PhasePlan),
    mut batch: Batch,
    epoch: u64,
    number: u64,
) -> Result<Batch, TrainError> {
    if !varies(plan) {
        return Ok(batch);
    }
    let samples = batch.labels.len();
    if batch.features.is_none()
        && let Ok(node) = frozen_until(&net.graph, phase)
    {
        let values = rows_until(device, net, node, &batch)?.concat();
        batch.features = Some(Features { node, values });
        batch.images = Vec::new();
    }
    let values = batch.features.as_mut().map_or(&mut batch.images, |features| &mut features.values);
    let per_sample = |values: &[f32]| values.len() / samples.max(1);
    let mut mixed = BatchValues {
        samples,
        dims: [1, 1, per_sample(values)],
        classes: per_sample(&batch.targets),
        images: std::mem::take(values),
        targets: std::mem::take(&mut batch.targets),
    };
    let key = Key::new(plan.spec.seed, Purpose::AugmentFeatures).with(epoch).with(number);
    apply_all_to_batch(&plan.spec.augmentation.features, &mut mixed, epoch, key);
    *values = mixed.images;
    batch.targets = mixed.targets;
    Ok(batch)
}
