//! Running statistics of batch norm, taken anew.

use super::TrainError;
use crate::data::{BadImage, Batch};
use crate::engine::{KernelSet, Kernels, Tape, Tensor};
use crate::layers::NormMode;
use crate::net::{Forward, Net};
use crate::random::Key;
use crate::ranks::Shared;

/// Makes the running statistics of `net` the means over batches of training images, as
/// `torch.optim.swa_utils.update_bn` does: averaged weights have statistics that no step has followed.
/// Only norms that follow the batch by `norms` are touched: frozen ones stay. Random layers act, as in
/// training. Each batch comes with the ranks that share its rows, where they do.
pub fn take_anew<'a, D: Kernels>(
    device: &D,
    net: &mut Net<D>,
    norms: &[NormMode],
    batches: impl Iterator<Item = (Result<Batch, BadImage>, Option<Shared<'a>>)>,
    key: Key,
) -> Result<(), TrainError> {
    if !norms.contains(&NormMode::Batch) {
        return Ok(());
    }
    for (before, (batch, shared)) in (0..).zip(batches) {
        let batch = batch?;
        let mean = |&norm: &NormMode| if norm == NormMode::Batch { NormMode::Mean(before) } else { norm };
        let norms: Vec<NormMode> = norms.iter().map(mean).collect();
        let images = Tensor::from_slice(device, &batch.images, &batch.dims)?;
        let run = Forward {
            tape: &mut Tape::off(KernelSet::default()),
            training: true,
            norms: &norms,
            key,
            samples: &batch.samples,
            joined: shared.map(|shared| shared.ranks),
        };
        let output = net.forward(&images, run).map_err(|(node, error)| TrainError::layer(net, node, &error))?;
        for (param, values) in output.buffers {
            net.params.set(param, values);
        }
    }
    Ok(())
}
