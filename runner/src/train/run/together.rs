//! The part of a run that has to do with its ranks: which rows of a step and which images of a split are whose, and
//! what all of them must agree about.

use super::{Job, Run};
use crate::data::loader::{Upcoming, own_samples};
use crate::engine::Kernels;
use crate::hex::{sha256, short};
use crate::le_bytes::le_bytes;
use crate::ranks::{Ranks, Shared};
use crate::train::ahead::Rows;
use crate::train::{TrainError, pieces};
use std::ops::Range;
use std::sync::Arc;

impl Job<'_> {
    /// Images of a step, over all ranks.
    pub fn step_rows(&self) -> usize {
        self.plan.spec.data.batch.saturating_mul(self.batches_a_step.max(1))
    }

    /// Fewer ranks than the run began with compute more rows each: not in pieces, unless the plan has pieces. The
    /// statistics of batch norm are those of a piece.
    pub(super) fn fit_to_ranks(&mut self) {
        let (batch, rows) = (self.plan.spec.data.batch, self.step_rows().div_ceil(self.ranks.count()));
        if rows <= batch {
            return;
        }
        for phase in &mut Arc::make_mut(&mut self.plan).phases {
            if phase.micro_batch >= batch {
                phase.micro_batch = rows;
            }
        }
    }

    /// Whether this process writes into the run directory.
    pub fn writes(&self) -> bool {
        self.ranks.is_first()
    }
}

/// The rows of a step that a rank reads, by their number: its own, or all where augmentation acts on whole batches.
#[derive(Clone)]
pub(super) struct Own {
    ranks: Ranks,
    piece: usize,
    whole: bool,
}

impl Own {
    /// How a batch of so many rows is shared, if it is.
    pub fn shared(&self, rows: usize) -> Option<Shared<'_>> {
        Shared::of(&self.ranks, rows, self.piece)
    }

    /// The rows that are read of a batch of so many.
    pub fn read(&self, rows: usize) -> Range<usize> {
        self.shared(rows).filter(|_| !self.whole).map_or(0..rows, |shared| shared.own())
    }

    /// The rows that are cut out of what was read of a batch of so many, if any are.
    pub fn cut(&self, rows: usize) -> Option<Range<usize>> {
        self.shared(rows).filter(|_| self.whole).map(|shared| shared.own())
    }

    /// Of the batch that comes next, if it can be read by now, the rows that a step in pieces of `piece` begins with.
    pub fn next<'b>(&self, batches: &'b mut dyn Upcoming, piece: usize) -> Option<Rows<'b>> {
        let batch = batches.look()?;
        let rows = batch.labels.len();
        let own = self.cut(rows).unwrap_or(0..rows);
        let first = pieces::place(own.len(), piece, 0);
        Some((batch, own.start..own.start + first.end))
    }

    /// The samples that are read in an epoch.
    pub fn samples(&self, order: &[usize], size: usize) -> Vec<usize> {
        own_samples(order, size, &|rows| self.read(rows))
    }
}

impl<D: Kernels> Run<'_, D> {
    /// The rows of steps that are read here, where a rank computes pieces of at most `piece` rows.
    pub(super) fn own(&self, piece: usize) -> Own {
        Own { ranks: self.job.ranks.clone(), piece, whole: self.job.plan.spec.augmentation.mixes() }
    }

    /// The images of a split that are evaluated here: whole batches of `batch`, as one rank has them.
    pub(super) fn own_of_split<'s>(&self, split: &'s [usize], batch: usize) -> &'s [usize] {
        let batches = self.job.ranks.part_of(split.len().div_ceil(batch.max(1)));
        let place = |number: usize| (number * batch).min(split.len());
        &split[place(batches.start)..place(batches.end)]
    }

    /// Whether the run is to stop: where one rank was told, all do.
    pub(super) fn is_stopped(&self) -> Result<bool, TrainError> {
        Ok(self.job.ranks.any(self.job.stop.is_raised())?)
    }

    /// The ranks begin or go on with the same of everything.
    pub(super) fn agree_at_start(&self) -> Result<(), TrainError> {
        let ranks = &self.job.ranks;
        ranks.agree("the version of runner", env!("CARGO_PKG_VERSION"))?;
        ranks.agree("what computes", &self.device.rounding())?;
        let written = serde_yaml::to_string(&self.job.written).unwrap_or_default();
        ranks.agree("the pipeline", &short(&sha256(written.as_bytes())))?;
        ranks.agree("the images, their classes or their split", &short(&self.data))?;
        let position = format!("{:?} {:?}", self.stage, self.position);
        ranks.agree("the place in the run", &position)?;
        self.agree_on_weights()
    }

    /// The ranks have the same weights, to the last bit.
    pub(super) fn agree_on_weights(&self) -> Result<(), TrainError> {
        let ranks = &self.job.ranks;
        if !ranks.are_several() {
            return Ok(());
        }
        let mut crc = crc32fast::Hasher::new();
        for tensor in self.net.params.tensors() {
            crc.update(&le_bytes(&tensor.read()?));
        }
        Ok(ranks.agree("the weights", &format!("{:08x}", crc.finalize()))?)
    }
}
