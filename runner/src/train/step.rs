//! One training step: forward, loss, backward, clip, optimize.

use super::optimizer::State;
use super::{TrainError, gradients};
use crate::data::Batch;
use crate::engine::{KernelSet, Kernels, Tape, Tensor};
use crate::metrics::largest;
use crate::net::{Forward, Net};
use crate::plan::PhasePlan;
use crate::random::Key;
use crate::regularize::{LossTargets, Regularization};

/// What stays the same over the steps of an epoch.
pub struct StepContext<'a, D: Kernels> {
    /// Where it computes.
    pub device: &'a D,
    /// What trains.
    pub phase: &'a PhasePlan,
    /// Clipping.
    pub regularization: &'a Regularization,
    /// Makes the loss's targets: label smoothing, class weights.
    pub targets: &'a LossTargets,
    /// The key of (seed, epoch) for random layers.
    pub key: Key,
}

/// What a step found.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The loss before the step.
    pub loss: f32,
    /// Rows that were taken for their own class.
    pub correct: usize,
    /// Norm of the gradient by group, before clipping.
    pub gradient_norms: Vec<f64>,
}

/// Takes one step. A loss that is not finite changes nothing: no parameter, no statistic.
pub fn step<D: Kernels>(
    context: &StepContext<'_, D>,
    net: &mut Net<D>,
    optimizer: &mut State<D>,
    batch: &Batch,
) -> Result<StepReport, TrainError> {
    let classes = net.graph.output().count();
    let images = Tensor::from_vec(context.device, batch.images.clone(), &batch.dims)?;
    let targets = context.targets.matrix(&batch.targets, classes);
    let targets = Tensor::from_vec(context.device, targets, &[batch.labels.len(), classes])?;

    let mut tape = Tape::recording(KernelSet::default());
    let run = Forward {
        tape: &mut tape,
        training: true,
        norms: &context.phase.norms,
        key: context.key,
        samples: &batch.samples,
    };
    let output = net.forward(&images, run).map_err(|(node, error)| TrainError::layer(net, node, &error))?;
    let loss_tensor = D::cross_entropy(&mut tape, &output.logits, &targets)?;
    let loss = loss_tensor.to_vec().first().copied().unwrap_or(f32::NAN);
    let logits = output.logits.to_vec();
    let correct =
        logits.chunks_exact(classes).zip(&batch.labels).filter(|(row, label)| largest(row) == **label).count();
    if !loss.is_finite() {
        return Ok(StepReport { loss, correct, gradient_norms: Vec::new() });
    }

    let mut gradients = tape.backward(&loss_tensor)?;
    let gradient_norms = gradients::norms(context.phase, net, &mut gradients)?;
    gradients::clip(context.phase, context.regularization, net, &mut gradients, &gradient_norms)?;
    optimizer.step(context.phase, net, &mut gradients)?;
    for (param, values) in output.buffers {
        net.params.set(param, values);
    }
    Ok(StepReport { loss, correct, gradient_norms })
}
