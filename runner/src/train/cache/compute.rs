//! How rows are computed: from the images, or from rows that are kept where a shorter part of the net ends.

use super::Cache;
use crate::data::feature_cache::{self, Row};
use crate::data::loader::Features;
use crate::data::{Batch, Loader};
use crate::engine::Kernels;
use crate::net::{Net, NodeId};
use crate::train::TrainError;
use crate::train::given::rows_until;

/// A row and its values.
pub type Computed = (Row, Vec<f32>);

/// Takes rows of a cache, and says whether to go on.
pub type Each<'a> = dyn FnMut(&mut Cache, Vec<Computed>) -> Result<bool, TrainError> + 'a;

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

impl Cache {
    /// Computes rows, which are ordered by their draws, batch by batch: from what the base has, else from the images, by
    /// way of the base, which keeps its own. `each` takes them; false where it did not go on. They are as precise as
    /// what is kept.
    pub(super) fn compute<D: Kernels>(
        &mut self,
        with: &Computes<'_, D>,
        rows: &[Row],
        each: &mut Each<'_>,
    ) -> Result<bool, TrainError> {
        let Some(mut base) = self.base.take() else { return self.compute_out_of_images(with, rows, each) };
        let goes_on = self.compute_out_of(&mut base, with, rows, each);
        self.base = Some(base);
        goes_on
    }

    fn compute_out_of_images<D: Kernels>(
        &mut self,
        with: &Computes<'_, D>,
        rows: &[Row],
        each: &mut Each<'_>,
    ) -> Result<bool, TrainError> {
        for alike in rows.chunk_by(|a, b| a.draw == b.draw) {
            for some in with.out_of_images(alike, self.kept.at) {
                let some = self.rounded(some?);
                if !each(self, some)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn compute_out_of<D: Kernels>(
        &mut self,
        base: &mut Cache,
        with: &Computes<'_, D>,
        rows: &[Row],
        each: &mut Each<'_>,
    ) -> Result<bool, TrainError> {
        let from = base.kept.at;
        let (there, mut others): (Vec<Row>, Vec<Row>) = rows.iter().copied().partition(|&row| base.rows.has(row));
        for some in there.chunks(with.batch.max(1)) {
            let Some(of_base) = base.whole(some) else {
                others.extend(some);
                continue;
            };
            let some = self.rounded(with.bring_on(from, &of_base, self.kept.at)?);
            if !each(self, some)? {
                return Ok(false);
            }
        }
        others.sort_unstable_by_key(|row| row.draw);
        base.compute(with, &others, &mut |base, of_base| {
            for (row, values) in &of_base {
                base.keep(*row, values);
            }
            let some = self.rounded(with.bring_on(from, &of_base, self.kept.at)?);
            each(self, some)
        })
    }

    /// Rows that are kept; `None` where not all of them are whole.
    fn whole(&mut self, rows: &[Row]) -> Option<Vec<Computed>> {
        let mut kept = Vec::with_capacity(rows.len());
        for &row in rows {
            let mut values = Vec::with_capacity(self.kept.width);
            if !self.read(row, &mut values) {
                return None;
            }
            kept.push((row, values));
        }
        Some(kept)
    }

    /// Rows as they are kept.
    fn rounded(&self, rows: Vec<Computed>) -> Vec<Computed> {
        let rounded = |(row, values)| (row, feature_cache::rounded(values, self.precision));
        rows.into_iter().map(rounded).collect()
    }
}

impl<D: Kernels> Computes<'_, D> {
    /// Computes rows that are drawn alike from their images, up to a node, batch by batch.
    fn out_of_images(
        &self,
        alike: &[Row],
        at: NodeId,
    ) -> impl Iterator<Item = Result<Vec<Computed>, TrainError>> + use<'_, D> {
        let samples: Vec<usize> = alike.iter().map(|row| row.sample).collect();
        let draw = alike.first().and_then(|row| row.draw);
        let batches = match draw {
            None => self.loader.evaluation(&samples, self.batch),
            Some(draw) => self.loader.training(&samples, self.batch, draw as u64 + 1),
        };
        batches.map(move |batch| {
            let batch = batch?;
            let rows = batch.places().map(|sample| Row { sample, draw });
            Ok(rows.zip(self.until(at, &batch)?).collect())
        })
    }

    /// Brings rows on from one node to another.
    fn bring_on(&self, from: NodeId, rows: &[Computed], to: NodeId) -> Result<Vec<Computed>, TrainError> {
        let samples: Vec<usize> = rows.iter().map(|(row, _)| row.sample).collect();
        let values = rows.iter().flat_map(|(_, values)| values).copied().collect();
        let Some(bare) = self.loader.bare(&samples, samples.len(), 0).next() else { return Ok(Vec::new()) };
        let batch = Batch { features: Some(Features { node: from, values }), ..bare };
        Ok(rows.iter().map(|(row, _)| *row).zip(self.until(to, &batch)?).collect())
    }

    /// What the net gives for each row of a batch at a node.
    fn until(&self, node: NodeId, batch: &Batch) -> Result<Vec<Vec<f32>>, TrainError> {
        rows_until(self.device, self.net, node, batch)
    }
}
