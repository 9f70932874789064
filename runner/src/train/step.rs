//! One training step: forward, loss, backward, clip, optimize.

use super::ahead::{Ahead, Rows};
use super::factors::Factors;
use super::optimizer::State;
use super::penalties::Penalties;
use super::pieces::{self, Moved};
use super::{TrainError, given, gradients, reconstruct};
use crate::data::Batch;
use crate::engine::{Gradients, KernelSet, Kernels, Tape, Tensor};
use crate::metrics::largest;
use crate::net::{Forward, Net, ParamId};
use crate::plan::PhasePlan;
use crate::random::Key;
use crate::ranks::Shared;
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
    /// What acts on weights besides the loss.
    pub penalties: &'a Penalties<D>,
    /// The key of (seed, epoch) for random layers.
    pub key: Key,
    /// The ranks that take the step together, each by its own rows; `None` where this one has all of them.
    pub shared: Option<Shared<'a>>,
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

/// Takes one step, at the groups' learning rates times their factors; `number` counts the run's steps from 0. A
/// batch is computed in pieces of the phase's `micro_batch`: the step is the same, but for batch norm that
/// follows each piece alone. A loss that is not finite changes nothing: no parameter, no statistic.
///
/// Ranks that share a step each give the rows that are theirs; all come to the same report and the same net.
pub fn step<D: Kernels>(
    context: &StepContext<'_, D>,
    net: &mut Net<D>,
    optimizer: &mut State<D>,
    batch: &Batch,
    factors: impl Into<Factors>,
    number: u64,
) -> Result<StepReport, TrainError> {
    step_ahead(context, net, optimizer, batch, factors.into(), number, (&mut Ahead::nothing(), None))
}

/// As [`step`], with images that may have been sent ahead. While the device computes its last piece, the rows that are
/// given here are sent: those that the next step begins with.
pub fn step_ahead<D: Kernels>(
    context: &StepContext<'_, D>,
    net: &mut Net<D>,
    optimizer: &mut State<D>,
    batch: &Batch,
    factors: Factors,
    number: u64,
    (ahead, next): (&mut Ahead<D>, Option<Rows<'_>>),
) -> Result<StepReport, TrainError> {
    let classes = net.graph.output().count();
    // Of the whole batch, as its divisor is: the losses of its pieces add up to the batch's.
    let targets = if net.graph.reconstructs() { Vec::new() } else { targets(context, batch, classes)? };
    let size = context.phase.micro_batch.saturating_mul(classes).max(1);
    let (mut report, mut moved) = (StepReport { loss: 0.0, correct: 0, gradient_norms: Vec::new() }, Moved::nothing());
    let mut so_far: Option<Gradients<D>> = None;
    for (place, piece) in pieces::of(batch, context.phase.micro_batch).enumerate() {
        let rows = pieces::place(batch.labels.len(), context.phase.micro_batch, place + 1);
        let then = if rows.is_empty() { next.clone() } else { Some((batch, rows)) };
        let targets = targets.chunks(size).nth(place).unwrap_or_default();
        let tape = match so_far.take() {
            None => Tape::recording(KernelSet::default()),
            Some(gradients) => {
                Tape::adding_to(KernelSet::default(), of_trained(context.phase, net, gradients)?, context.device)?
            }
        };
        let passed = pass(context, net, &piece, targets, tape, (ahead, then))?;
        report.loss += passed.loss;
        report.correct += passed.correct;
        let Some(gradients) = passed.gradients else {
            moved.put_back(net);
            return Ok(report);
        };
        so_far = Some(gradients);
        moved.take(net, passed.buffers);
    }
    if let Some(shared) = &context.shared {
        report = StepReport { loss: shared.total(f64::from(report.loss))? as f32, ..report };
        report.correct = shared.total(report.correct as f64)? as usize;
        if !report.loss.is_finite() {
            moved.put_back(net);
            return Ok(report);
        }
    }
    let Some(mut gradients) = so_far else { return Ok(report) };
    if let Some(shared) = &context.shared {
        gradients::sum(context.phase, net, &mut gradients, shared.ranks)?;
    }
    let norms = gradients::norms(context.phase, net, &mut gradients)?;
    let norms = gradients::clip(context.phase, context.regularization, net, &mut gradients, norms)?;
    context.penalties.add(context.phase, net, &mut gradients, number)?;
    optimizer.step(context.phase, net, &mut gradients, factors)?;
    context.penalties.bound(context.phase, net)?;
    Ok(StepReport { gradient_norms: norms.get()?, ..report })
}

/// The loss's targets for the rows of a batch.
fn targets<D: Kernels>(context: &StepContext<'_, D>, batch: &Batch, classes: usize) -> Result<Vec<f32>, TrainError> {
    let own = context.targets.divisor(&batch.targets, classes);
    let whole = context.shared.map_or(Ok(own), |shared| shared.total(own))?;
    Ok(context.targets.matrix_of(&batch.targets, classes, whole))
}

/// What a piece of a batch gives.
struct Passed<D: Kernels> {
    /// Its share of the batch's loss.
    loss: f32,
    correct: usize,
    /// With those of the pieces before; none where the loss is not finite.
    gradients: Option<Gradients<D>>,
    /// New values of statistics.
    buffers: Vec<(ParamId, Tensor<D>)>,
}

/// Runs a piece of a batch forward and backward. `targets` are its rows of the loss's targets, `then` those that come
/// after it.
fn pass<D: Kernels>(
    context: &StepContext<'_, D>,
    net: &Net<D>,
    piece: &Batch,
    targets: &[f32],
    mut tape: Tape<D>,
    (ahead, then): (&mut Ahead<D>, Option<Rows<'_>>),
) -> Result<Passed<D>, TrainError> {
    let classes = net.graph.output().count();
    let run = Forward {
        tape: &mut tape,
        training: true,
        norms: &context.phase.norms,
        key: context.key,
        samples: &piece.samples,
        joined: context.shared.map(|shared| shared.ranks),
    };
    let output = given::forward(context.device, net, piece, ahead, run)?;
    let loss_tensor = if net.graph.reconstructs() {
        let rows = context.shared.map_or(piece.labels.len(), |shared| shared.rows);
        reconstruct::loss(&mut tape, &output.logits, piece, rows)?
    } else {
        let targets = Tensor::from_slice(context.device, targets, &[piece.labels.len(), classes])?;
        context.regularization.loss(&mut tape, &output.logits, &targets)?
    };
    // The device computes: what is read below waits for it.
    if let Some(rows) = then {
        ahead.send(rows)?;
    }
    let correct = if net.graph.reconstructs() {
        0
    } else {
        let logits = output.logits.read()?;
        let rows = logits.chunks_exact(classes).zip(&piece.labels);
        rows.filter(|(row, label)| largest(row) == **label).count()
    };
    let loss = loss_tensor.read()?.first().copied().unwrap_or(f32::NAN);
    let mut gradients = None;
    // Where ranks share the step, all go on until they know the loss of all.
    if loss.is_finite() || context.shared.is_some() {
        gradients = Some(tape.backward(&loss_tensor).map_err(|error| TrainError::back(net, error))?);
    }
    Ok(Passed { loss, correct, gradients, buffers: output.buffers })
}

/// The gradients of what trains, without what else a pass left.
fn of_trained<D: Kernels>(
    phase: &PhasePlan,
    net: &Net<D>,
    gradients: Gradients<D>,
) -> Result<Gradients<D>, TrainError> {
    let params = phase.groups.iter().flat_map(|group| &group.params);
    Ok(gradients.only(params.map(|&param| net.params.get(param)))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::device::open_cpu;
    use crate::net::Params;
    use crate::plan::Plan;
    use crate::random::Purpose;
    use crate::spec;
    use crate::weights::init::draw;
    use std::path::Path;

    /// What `runner plan` says trains is what the optimizer visits, phase by phase, in the pipelines
    /// that are shipped.
    #[test]
    fn the_optimizer_visits_what_the_plan_says_trains() {
        for name in ["medical.yaml", "from_scratch.yaml"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines").join(name);
            let sets = [spec::Override("data.image.size=32".to_owned())];
            let loaded = spec::load(&path, &sets).unwrap();
            let plan = Plan::new(&loaded.pipeline, &loaded.dir).unwrap();
            let device = open_cpu().unwrap();
            let key = Key::new(1, Purpose::Init);
            let drawn = |param: &crate::net::Param| {
                Tensor::from_vec(
                    &device,
                    draw(&param.def, crate::layers::Init::Kaiming, key.named(&param.name)),
                    &param.def.dims,
                )
            };
            let tensors = plan.graph.params.iter().map(drawn).collect::<Result<_, _>>().unwrap();
            let mut net = Net { graph: plan.graph.clone(), params: Params::new(tensors) };
            let mut optimizer = State::new(loaded.pipeline.schedule.optimizer.clone());
            let batch = Batch {
                images: {
                    let mut stream = key.stream();
                    (0..2 * 32 * 32 * 3).map(|_| stream.normal()).collect()
                },
                dims: [2, 32, 32, 3],
                labels: vec![0, 1],
                targets: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                samples: vec![0, 1],
                features: None,
            };
            for phase in &plan.phases {
                net.params.want_grads(&phase.trainable(net.graph.params.len()));
                optimizer.begin(phase);
                let before: Vec<Vec<f32>> = net.params.tensors().iter().map(Tensor::to_vec).collect();
                let context = StepContext {
                    device: &device,
                    phase,
                    regularization: &loaded.pipeline.regularization,
                    targets: &LossTargets::plain(),
                    penalties: &Penalties::none(),
                    key,
                    shared: None,
                };
                step(&context, &mut net, &mut optimizer, &batch, 1.0, 0).unwrap();
                let visited: usize = optimizer.memory().keys().map(|&id| net.graph.params[id].def.count()).sum();
                assert_eq!(visited, phase.trainable_values(&net.graph), "{name}, phase {}", phase.name);
                for (id, before) in before.iter().enumerate().filter(|(id, _)| phase.frozen[*id]) {
                    assert_eq!(&net.params.get(id).to_vec(), before, "{}", net.graph.params[id].name);
                }
            }
        }
    }
}
