//! What of a phase was computed once and is kept: the activations where its frozen prefix ends, image by image.

mod recipe;

use super::TrainError;
use super::events::KeptFeatures;
use super::given::{rows, until};
use crate::data::feature_cache::{self, Digests, Disk, FeatureCache, Row};
use crate::data::loader::Features;
use crate::data::{Batch, Dataset, Loader};
use crate::engine::Kernels;
use crate::net::{Graph, Net, NodeId};
use crate::plan::cache::{Place, Training};
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
}

/// What rows are computed with.
pub struct Computes<'a, D: Kernels> {
    /// Where.
    pub device: &'a D,
    /// The net.
    pub net: &'a Net<D>,
    /// What reads and varies images.
    pub loader: &'a Loader,
    /// Images that are computed at a time.
    pub batch: usize,
}

/// The rows of a phase, and those of the phase before where they can be brought on to it.
pub struct Opened {
    /// The phase's.
    pub cache: Cache,
    /// Rows that are kept where a shorter part of the net ends.
    pub before: Option<Cache>,
}

impl Cache {
    /// The rows that a phase keeps; `None` where it keeps none. Those of `before` are kept where they are of
    /// the same part of the net. Files are in `folder`.
    pub fn open<D: Kernels>(
        (device, net): (&D, &Net<D>),
        plan: &Plan,
        phase: &PhasePlan,
        data: &Dataset,
        folder: &Path,
        before: Option<Cache>,
    ) -> Option<Opened> {
        let kept = PhaseCache::of(&plan.spec, &plan.graph, phase).ok()?;
        let (spec, draws) = (&plan.spec.cache, recipe::of_draws(plan));
        let bytes = kept.bytes(kept.rows(data.train.len(), data.val.len()), spec.precision);
        let place = kept.place(bytes, spec);
        if place == Place::Nowhere {
            return None;
        }
        let recipe = recipe::of_prefix(device, plan, net, kept.at);
        let before = before.filter(|before| before.draws == draws && before.precision == spec.precision);
        let before = match before {
            Some(before) if before.recipe == recipe && before.place() == place => {
                return Some(Opened { cache: Cache { kept, ..before }, before: None });
            }
            // What is rounded is not computed on from: out of the images it would be other numbers, as it is
            // computed after a break.
            before => before.filter(|before| {
                before.precision == Precision::F32
                    && before.kept.at < kept.at
                    && before.recipe == recipe::of_prefix(device, plan, net, before.kept.at)
            }),
        };
        let form = (kept.width, spec.precision);
        let rows = match place {
            Place::Nowhere => return None,
            Place::Memory => FeatureCache::in_memory(kept.width, spec.precision),
            Place::Disk => {
                let digests = Digests::new(data.images.clone(), data.samples.samples.clone(), draws.clone());
                match Disk::open(folder, &recipe, form, digests, (bytes, spec.disk.0)) {
                    Ok(disk) => FeatureCache::Disk(disk),
                    Err(error) => {
                        tracing::warn!("{}: features cannot be cached: {error}", folder.display());
                        FeatureCache::Nothing
                    }
                }
            }
        };
        Some(Opened { cache: Cache { kept, rows, recipe, draws, precision: spec.precision }, before })
    }

    /// What is kept, for the record.
    pub fn facts(&self, graph: &Graph, data: &Dataset) -> KeptFeatures {
        let rows = self.kept.rows(data.train.len(), data.val.len());
        KeptFeatures {
            layer: graph.nodes.get(self.kept.at).map_or_else(String::new, |node| node.name.clone()),
            values: self.kept.width,
            draws: self.kept.training.rows(),
            bytes: self.kept.bytes(rows, self.precision),
            place: self.place().name(),
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
        for alike in missing.chunk_by(|a, b| a.draw == b.draw) {
            for some in self.out_of_images(with, alike) {
                for (row, values) in some? {
                    self.keep(row, &values);
                    done += 1;
                }
                goes_on = each(done, missing.len());
                if !goes_on || !self.rows.keeps() {
                    return Ok(goes_on);
                }
            }
        }
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
        for some in self.out_of_images(with, &missing) {
            for (row, computed) in some? {
                self.keep(row, &computed);
                let of_batch = rows.iter().zip(values.chunks_exact_mut(self.kept.width));
                of_batch.filter(|(other, _)| **other == row).for_each(|(_, place)| place.copy_from_slice(&computed));
            }
        }
        batch.features = Some(Features { node: self.kept.at, values });
        Ok(batch)
    }

    /// Brings rows on from the node where an earlier phase kept them; `before` is what it kept. `each` is told
    /// how many are done of how many.
    pub fn bring_on<D: Kernels>(
        &mut self,
        mut before: Cache,
        with: &Computes<'_, D>,
        rows: &[Row],
        mut each: impl FnMut(usize, usize),
    ) -> Result<(), TrainError> {
        self.rows.look_for(rows);
        let there: Vec<Row> = rows.iter().copied().filter(|&row| before.rows.has(row) && !self.rows.has(row)).collect();
        let mut done = 0;
        for some in there.chunks(with.batch.max(1)) {
            let samples: Vec<usize> = some.iter().map(|row| row.sample).collect();
            let mut values = Vec::with_capacity(some.len() * before.kept.width);
            if !some.iter().all(|&row| before.read(row, &mut values)) {
                // What is missing is computed from the images.
                return Ok(());
            }
            let features = Some(Features { node: before.kept.at, values });
            let bare = with.loader.bare(&samples, samples.len(), 0).next();
            let Some(batch) = bare.map(|bare| Batch { features, ..bare }) else { return Ok(()) };
            for (&row, values) in some.iter().zip(&with.until(self.kept.at, &batch)?) {
                self.keep(row, values);
            }
            done += some.len();
            each(done, there.len());
        }
        Ok(())
    }

    /// Computes rows that are drawn alike from their images, batch by batch. They are as precise as what is kept.
    fn out_of_images<'a, D: Kernels>(
        &self,
        with: &'a Computes<'_, D>,
        alike: &[Row],
    ) -> impl Iterator<Item = Result<Vec<(Row, Vec<f32>)>, TrainError>> + use<'a, D> {
        let samples: Vec<usize> = alike.iter().map(|row| row.sample).collect();
        let draw = alike.first().and_then(|row| row.draw);
        let batches = match draw {
            None => with.loader.evaluation(&samples, with.batch),
            Some(draw) => with.loader.training(&samples, with.batch, draw as u64 + 1),
        };
        let (at, precision) = (self.kept.at, self.precision);
        batches.map(move |batch| {
            let batch = batch?;
            let rows = batch.places().map(|sample| Row { sample, draw });
            let values = with.until(at, &batch)?.into_iter().map(|values| feature_cache::rounded(values, precision));
            Ok(rows.zip(values).collect())
        })
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

impl<D: Kernels> Computes<'_, D> {
    /// What the net gives for each row of a batch at a node.
    fn until(&self, node: NodeId, batch: &Batch) -> Result<Vec<Vec<f32>>, TrainError> {
        let live = until(self.device, self.net, node, batch)?;
        Ok(rows(&live, batch.labels.len()))
    }
}

/// The rows of samples as they are.
pub fn evaluated(samples: &[usize]) -> impl Iterator<Item = Row> {
    samples.iter().map(|&sample| Row { sample, draw: None })
}
