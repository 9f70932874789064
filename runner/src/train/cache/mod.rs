//! What of a phase was computed once and is kept: the activations where its frozen prefix ends, image by image.

mod compute;
mod recipe;

pub use compute::Computes;

use super::TrainError;
use super::events::KeptFeatures;
use crate::data::feature_cache::{Digests, Disk, FeatureCache, Row};
use crate::data::loader::Features;
use crate::data::{Batch, Dataset};
use crate::engine::{EngineError, Kernels};
use crate::net::{Graph, Net, NodeId};
use crate::plan::cache::{Place, Training, bases};
use crate::plan::{PhaseCache, PhasePlan, Plan};
use crate::spec::Precision;
use std::path::Path;

/// The rows of the phase that goes on.
pub struct Cache {
    /// What is kept.
    pub kept: PhaseCache,
    rows: FeatureCache,
    /// A hash over all that a row depends on besides the image and how it is drawn.
    recipe: String,
    /// A hash over what augmented draws depend on besides.
    draws: String,
    precision: Precision,
    /// Rows that are kept where a shorter part of the net ends, from which these are computed.
    base: Option<Box<Cache>>,
    /// Whether later phases go on from the base.
    base_stays: bool,
}

impl Cache {
    /// The rows that the first of some phases keeps; `None` where it keeps none. Those of `before` are kept where
    /// they are of the same part of the net, or computed on from. Files are in `folder`.
    pub fn open<D: Kernels>(
        (device, net): (&D, &Net<D>),
        plan: &Plan,
        phases: &[PhasePlan],
        data: &Dataset,
        folder: &Path,
        before: Option<Cache>,
    ) -> Result<Option<Cache>, EngineError> {
        let of_phase = |phase: &PhasePlan| PhaseCache::of(&plan.spec, &plan.graph, phase).ok();
        let Some(kept) = phases.first().and_then(of_phase) else { return Ok(None) };
        let (spec, draws) = (&plan.spec.cache, recipe::of_draws(plan));
        let counts = (data.train.len(), data.val.len());
        let place = kept.place(kept.bytes(kept.rows(counts.0, counts.1), spec.precision), spec);
        if place == Place::Nowhere {
            return Ok(None);
        }
        let later = bases(&plan.spec, &plan.graph, phases, &kept, counts);
        let mut before = Cache::apart(before);
        before.retain(|before| before.draws == draws && before.precision == spec.precision);
        let of_prefix = |at: NodeId| recipe::of_prefix(device, plan, net, at);
        let mut take = |kept: PhaseCache, recipe: String, place: Place| {
            let is_it = |before: &Cache| before.recipe == recipe && before.place() == place;
            match before.iter().position(is_it) {
                Some(found) => Cache { kept, ..before.swap_remove(found) },
                None => Cache::empty(kept, recipe, (plan, data), folder, place),
            }
        };
        let recipe = of_prefix(kept.at)?;
        let mut cache = take(kept, recipe, place);
        let later = later.into_iter().map(|later| {
            let recipe = of_prefix(later.at)?;
            Ok(take(later, recipe, Place::Memory))
        });
        let later: Vec<Cache> = later.collect::<Result<_, EngineError>>()?;
        cache.base_stays = !later.is_empty();
        // Each is computed from the next.
        let on = |base, later| Some(Box::new(Cache { base, base_stays: true, ..later }));
        let later = later.into_iter().rev().fold(None, on);
        // What is rounded is not computed on from: out of the images it would be other numbers, as it is
        // computed after a break.
        let exact = |before: &Cache| before.precision == Precision::F32 && before.kept.at < cache.kept.at;
        cache.base = later;
        if cache.base.is_none() {
            for before in before.into_iter().filter(exact) {
                if before.recipe == of_prefix(before.kept.at)? {
                    cache.base = Some(Box::new(before));
                    break;
                }
            }
        }
        Ok(Some(cache))
    }

    /// A cache and those it was computed from, each by itself.
    fn apart(cache: Option<Cache>) -> Vec<Cache> {
        let mut next = cache;
        let parts = std::iter::from_fn(|| {
            let mut cache = next.take()?;
            next = cache.base.take().map(|base| *base);
            Some(cache)
        });
        parts.collect()
    }

    /// No rows yet, or those of earlier runs.
    fn empty(kept: PhaseCache, recipe: String, (plan, data): (&Plan, &Dataset), folder: &Path, place: Place) -> Self {
        let (spec, draws) = (&plan.spec.cache, recipe::of_draws(plan));
        let form = (kept.width, spec.precision);
        let rows = match place {
            Place::Nowhere => FeatureCache::Nothing,
            Place::Memory => FeatureCache::in_memory(kept.width, spec.precision),
            Place::Disk => {
                let digests = Digests::new(data.images.clone(), data.samples.samples.clone(), draws.clone());
                let bytes = kept.bytes(kept.rows(data.train.len(), data.val.len()), spec.precision);
                match Disk::open(folder, &recipe, form, digests, (bytes, spec.disk.0)) {
                    Ok(disk) => FeatureCache::Disk(disk),
                    Err(error) => {
                        tracing::warn!("{}: features cannot be cached: {error}", folder.display());
                        FeatureCache::Nothing
                    }
                }
            }
        };
        Cache { kept, rows, recipe, draws, precision: spec.precision, base: None, base_stays: false }
    }

    /// What is kept, for the record.
    pub fn facts(&self, graph: &Graph, data: &Dataset) -> KeptFeatures {
        let rows = self.kept.rows(data.train.len(), data.val.len());
        KeptFeatures {
            layer: graph.nodes.get(self.kept.at).map_or_else(String::new, |node| node.name.clone()),
            values: self.kept.width,
            draws: self.kept.training.rows(),
            bytes: self.kept.bytes(rows, self.precision),
            place: self.place(),
        }
    }

    fn place(&self) -> Place {
        match self.rows {
            FeatureCache::Memory(_) => Place::Memory,
            FeatureCache::Disk(_) => Place::Disk,
            FeatureCache::Nothing => Place::Nowhere,
        }
    }

    /// All rows that the phase may ever look at.
    pub fn all(&self, data: &Dataset) -> Vec<Row> {
        let draws: Vec<Option<usize>> = match self.kept.training {
            Training::Nothing(_) => Vec::new(),
            Training::Exact => vec![None],
            Training::Draws(draws) => (0..draws).map(Some).collect(),
        };
        let of_train = draws.iter().flat_map(|&draw| data.train.iter().map(move |&sample| Row { sample, draw }));
        of_train.chain(evaluated(&data.val)).collect()
    }

    /// Which draw of an image an epoch, counted from 1, trains on; `None` is the image as it is.
    fn draw(&self, epoch: usize) -> Option<usize> {
        match self.kept.training {
            Training::Nothing(_) | Training::Exact => None,
            Training::Draws(draws) => Some(epoch.saturating_sub(1) % draws.max(1)),
        }
    }

    /// Whether epochs train on rows that are kept, and not on images.
    pub fn trains_on_kept(&self) -> bool {
        self.kept.training.rows() > 0
    }

    /// The rows that an epoch, counted from 1, trains on, for samples in their order.
    pub fn training(&self, order: &[usize], epoch: usize) -> Vec<Row> {
        let draw = self.draw(epoch);
        order.iter().map(|&sample| Row { sample, draw }).collect()
    }

    /// Computes those of some rows that are missing. `each` is told how many are done of how many, and says
    /// whether to go on; false where it did not.
    pub fn fill<D: Kernels>(
        &mut self,
        with: &Computes<'_, D>,
        wanted: &[Row],
        mut each: impl FnMut(usize, usize) -> bool,
    ) -> Result<bool, TrainError> {
        self.rows.look_for(wanted);
        let mut missing: Vec<Row> = wanted.iter().copied().filter(|&row| !self.rows.has(row)).collect();
        missing.sort_unstable_by_key(|row| (row.draw, row.sample));
        missing.dedup();
        let (mut done, mut goes_on) = (0, true);
        let total = missing.len();
        self.compute(with, &missing, &mut |cache, rows| {
            done += rows.len();
            for (row, values) in rows {
                cache.keep(row, &values);
            }
            goes_on = each(done, total);
            Ok(goes_on && cache.rows.keeps())
        })?;
        Ok(goes_on)
    }

    /// Puts what is kept of its images into a batch without them, for an epoch that trains on it, or, without
    /// one, for an evaluation. What is missing or damaged is computed.
    pub fn complete<D: Kernels>(
        &mut self,
        with: &Computes<'_, D>,
        mut batch: Batch,
        epoch: Option<usize>,
    ) -> Result<Batch, TrainError> {
        let draw = epoch.and_then(|epoch| self.draw(epoch));
        let rows: Vec<Row> = batch.places().map(|sample| Row { sample, draw }).collect();
        let mut values = Vec::with_capacity(rows.len() * self.kept.width);
        let mut missing = Vec::new();
        for &row in &rows {
            if !self.read(row, &mut values) {
                missing.push(row);
                values.resize(values.len() + self.kept.width, 0.0);
            }
        }
        self.compute(with, &missing, &mut |cache, computed| {
            for (row, computed) in computed {
                cache.keep(row, &computed);
                let of_batch = rows.iter().zip(values.chunks_exact_mut(cache.kept.width));
                of_batch.filter(|(other, _)| **other == row).for_each(|(_, place)| place.copy_from_slice(&computed));
            }
            Ok(true)
        })?;
        batch.features = Some(Features { node: self.kept.at, values });
        Ok(batch)
    }

    /// Where no later phase goes on from the base, computes those of some rows that it has, and drops it. `each` is told
    /// how many are done of how many.
    pub fn bring_on<D: Kernels>(
        &mut self,
        with: &Computes<'_, D>,
        rows: &[Row],
        mut each: impl FnMut(usize, usize),
    ) -> Result<(), TrainError> {
        let Some(base) = self.base.as_ref().filter(|_| !self.base_stays) else { return Ok(()) };
        let there: Vec<Row> = rows.iter().copied().filter(|&row| base.rows.has(row)).collect();
        self.fill(with, &there, |done, total| {
            each(done, total);
            true
        })?;
        self.base = None;
        Ok(())
    }

    /// Appends a row to `out`; false where it is not there, or not whole.
    fn read(&mut self, row: Row, out: &mut Vec<f32>) -> bool {
        self.rows.read(row, out).unwrap_or_else(|error| {
            tracing::warn!("cached features cannot be read: {error}");
            false
        })
    }

    /// Keeps a row. Where that fails, none are kept any more, and each is computed when it is needed.
    fn keep(&mut self, row: Row, values: &[f32]) {
        if let Err(error) = self.rows.write(row, values) {
            tracing::warn!("features cannot be cached any more, and are computed anew each time: {error}");
            self.rows = FeatureCache::Nothing;
        }
    }
}

/// The rows of samples as they are.
pub fn evaluated(samples: &[usize]) -> impl Iterator<Item = Row> {
    samples.iter().map(|&sample| Row { sample, draw: None })
}
