//! Features of whole splits: what a frozen net gives at a boundary, batch by batch, without a tape.

use super::TrainError;
use super::given::until;
use crate::data::{BadImage, Batch};
use crate::engine::Kernels;
use crate::net::{Net, NodeId};

/// Features of samples, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Features {
    /// Each sample's values, one after the other.
    pub values: Vec<f32>,
    /// Each sample's class.
    pub labels: Vec<usize>,
    /// Each sample's place in the data set.
    pub samples: Vec<usize>,
}

/// What goes into `node`, over the batches of a split, by inference statistics and without random
/// layers. `each` is told how many samples are done, and says whether to go on: `None` where it did not.
pub fn extract<D: Kernels>(
    device: &D,
    net: &Net<D>,
    node: NodeId,
    batches: impl Iterator<Item = Result<Batch, BadImage>>,
    mut each: impl FnMut(usize) -> bool,
) -> Result<Option<Features>, TrainError> {
    let mut features = Features::default();
    for batch in batches {
        let batch = batch?;
        features.values.extend(activations(device, net, node, &batch)?);
        features.labels.extend_from_slice(&batch.labels);
        features.samples.extend(batch.places());
        if !each(features.samples.len()) {
            return Ok(None);
        }
    }
    Ok(Some(features))
}

fn activations<D: Kernels>(device: &D, net: &Net<D>, node: NodeId, batch: &Batch) -> Result<Vec<f32>, TrainError> {
    let live = until(device, net, node, batch)?;
    Ok(live.into_iter().next().map_or(Ok(Vec::new()), |(_, values)| values.read())?)
}
