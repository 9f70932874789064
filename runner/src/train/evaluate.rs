//! The forward pass over a whole split.

use super::{TrainError, given, reconstruct};
use crate::data::{BadImage, Batch};
use crate::engine::{KernelSet, Kernels, Tape};
use crate::metrics::{Answers, Scores};
use crate::net::{Forward, Net};

/// What a net answers over a split.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The metrics.
    pub scores: Scores,
    /// Each sample's truth and probabilities, in order.
    pub answers: Answers,
    /// Each sample's place in the data set.
    pub samples: Vec<usize>,
    /// The metrics by the images as they are alone, where several views were averaged.
    pub one_view: Option<Scores>,
    /// Each sample's mean squared error, where the net reconstructs; then there are no answers.
    pub errors: Vec<f64>,
}

/// The logits of a batch, or its reconstructions, by inference statistics and without random layers.
pub fn logits<D: Kernels>(device: &D, net: &Net<D>, batch: &Batch, kernels: KernelSet) -> Result<Vec<f32>, TrainError> {
    let mut tape = Tape::off(kernels);
    let run = Forward::evaluation(&mut tape, &batch.samples);
    Ok(given::forward(device, net, batch, run)?.logits.to_vec())
}

/// Evaluates `net` over the batches of a split. `each` is told how many samples are done.
pub fn evaluate<D: Kernels, E>(
    device: &D,
    net: &Net<D>,
    batches: impl Iterator<Item = Result<Batch, E>>,
    mut each: impl FnMut(usize),
) -> Result<Evaluation, TrainError>
where
    TrainError: From<E>,
{
    if net.graph.reconstructs() {
        return reconstruct::evaluate(device, net, batches, each);
    }
    let mut answers = Answers::new(net.graph.output().count());
    let mut samples = Vec::new();
    for batch in batches {
        let batch = batch?;
        answers.push(&batch.labels, &logits(device, net, &batch, KernelSet::default())?);
        samples.extend(batch.places());
        each(samples.len());
    }
    Ok(Evaluation { scores: Scores::of(&answers), answers, samples, one_view: None, errors: Vec::new() })
}

/// Evaluates `net` by so many views of each image, `batches` giving those of a view: the probabilities
/// are averaged. `each` is told how many samples are done, over all views.
pub fn evaluate_views<D: Kernels, B: Iterator<Item = Result<Batch, BadImage>>>(
    device: &D,
    net: &Net<D>,
    views: usize,
    batches: impl Fn(usize) -> B,
    mut each: impl FnMut(usize),
) -> Result<Evaluation, TrainError> {
    let first = evaluate(device, net, batches(0), &mut each)?;
    if views <= 1 {
        return Ok(first);
    }
    let mut all = vec![first.answers];
    for view in 1..views {
        let before = view * first.samples.len();
        all.push(evaluate(device, net, batches(view), |done| each(before + done))?.answers);
    }
    let answers = Answers::mean(&all);
    Ok(Evaluation {
        scores: Scores::of(&answers),
        answers,
        samples: first.samples,
        one_view: Some(first.scores),
        errors: Vec::new(),
    })
}
