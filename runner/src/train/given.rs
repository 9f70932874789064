//! What a net is given for a batch: its images, or what was kept of them.

use super::TrainError;
use super::ahead::Ahead;
use crate::data::Batch;
use crate::engine::{EngineError, KernelSet, Kernels, Tape, Tensor};
use crate::net::{Activations, Forward, Graph, Net, NodeId, Output, Source};

/// The first node that is to run, and the activations that it and those after it take.
pub fn given<D: Kernels>(
    device: &D,
    graph: &Graph,
    batch: &Batch,
    ahead: &mut Ahead<D>,
) -> Result<(NodeId, Activations<D>), EngineError> {
    match &batch.features {
        None => Ok((0, vec![(Source::Image, ahead.images(device, batch)?)])),
        Some(features) => {
            Ok((features.node, activations(device, graph, batch.labels.len(), features.node, &features.values)?))
        }
    }
}

/// Runs a batch through what of the net is left to run.
pub fn forward<D: Kernels>(
    device: &D,
    net: &Net<D>,
    batch: &Batch,
    ahead: &mut Ahead<D>,
    run: Forward<'_, D>,
) -> Result<Output<D>, TrainError> {
    let (first, given) = given(device, &net.graph, batch, ahead)?;
    net.forward_from(first, given, run).map_err(|(node, error)| TrainError::layer(net, node, &error))
}

/// What of the net is left to run before `node`, by inference statistics and without random layers: the
/// activations of [`Graph::live_at`].
pub fn until<D: Kernels>(device: &D, net: &Net<D>, node: NodeId, batch: &Batch) -> Result<Activations<D>, TrainError> {
    let (first, given) = given(device, &net.graph, batch, &mut Ahead::nothing())?;
    let mut tape = Tape::off(KernelSet::default());
    let part = net.forward_range(first..node, given, Forward::evaluation(&mut tape, &batch.samples));
    Ok(part.map_err(|(node, error)| TrainError::layer(net, node, &error))?.live)
}

/// What [`until`] gives, as rows: one of each sample of the batch.
pub fn rows_until<D: Kernels>(
    device: &D,
    net: &Net<D>,
    node: NodeId,
    batch: &Batch,
) -> Result<Vec<Vec<f32>>, TrainError> {
    Ok(rows(&until(device, net, node, batch)?, batch.labels.len())?)
}

/// Rows as the activations that are live at `node`.
fn activations<D: Kernels>(
    device: &D,
    graph: &Graph,
    rows: usize,
    node: NodeId,
    values: &[f32],
) -> Result<Activations<D>, EngineError> {
    let width = values.len() / rows.max(1);
    let mut begin = 0;
    let mut live = Vec::new();
    for source in graph.live_at(node) {
        let shape = graph.shape_of(source);
        let columns = begin..begin + shape.count();
        begin = columns.end;
        let part = if columns.len() == width {
            values.to_vec()
        } else {
            values.chunks_exact(width).flat_map(|row| &row[columns.clone()]).copied().collect()
        };
        let dims: Vec<usize> = std::iter::once(rows).chain(shape.dims()).collect();
        live.push((source, Tensor::from_vec(device, part, &dims)?));
    }
    Ok(live)
}

/// The activations that are live at a node as rows: those of each sample one after the other.
fn rows<D: Kernels>(live: &Activations<D>, count: usize) -> Result<Vec<Vec<f32>>, EngineError> {
    let parts: Vec<Vec<f32>> = live.iter().map(|(_, tensor)| tensor.read()).collect::<Result<_, _>>()?;
    let row = |row: usize| {
        let of_row = |part: &Vec<f32>| {
            let width = part.len() / count.max(1);
            part[row * width..(row + 1) * width].to_vec()
        };
        parts.iter().flat_map(of_row).collect()
    };
    Ok((0..count).map(row).collect())
}
