//! The forward pass over a whole split.

use super::ahead::Ahead;
use super::{TrainError, given, reconstruct};
use crate::data::{BadImage, Batch};
use crate::engine::{KernelSet, Kernels, Tape};
use crate::metrics::{Answers, Scores};
use crate::net::{Forward, Net};
use crate::ranks::{RankFault, Ranks};
use serde::{Deserialize, Serialize};

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

/// What a rank tells the others of its part of a split.
#[derive(Serialize, Deserialize)]
struct Told {
    labels: Vec<usize>,
    /// Bits, since a value may be none that JSON has.
    probabilities: Vec<u32>,
    loss_sum: u64,
    samples: Vec<usize>,
    errors: Vec<u64>,
}

impl Evaluation {
    /// That over the parts of all ranks, in their order.
    pub fn joined(self, ranks: &Ranks) -> Result<Self, RankFault> {
        if !ranks.are_several() {
            return Ok(self);
        }
        let reconstructs = self.answers.classes == 0;
        let all = ranks.collect(&Told {
            labels: self.answers.labels,
            probabilities: self.answers.probabilities.into_iter().map(f32::to_bits).collect(),
            loss_sum: self.answers.loss_sum.to_bits(),
            samples: self.samples,
            errors: self.errors.into_iter().map(f64::to_bits).collect(),
        })?;
        let mut answers = Answers::new(self.answers.classes);
        let (mut samples, mut errors) = (Vec::new(), Vec::new());
        for part in all {
            answers.labels.extend(part.labels);
            answers.probabilities.extend(part.probabilities.into_iter().map(f32::from_bits));
            answers.loss_sum += f64::from_bits(part.loss_sum);
            samples.extend(part.samples);
            errors.extend(part.errors.into_iter().map(f64::from_bits));
        }
        let scores = if reconstructs { Scores::of_errors(&errors) } else { Scores::of(&answers) };
        Ok(Evaluation { scores, answers, samples, one_view: None, errors })
    }
}

/// The logits of a batch, or its reconstructions, by inference statistics and without random layers.
pub fn logits<D: Kernels>(device: &D, net: &Net<D>, batch: &Batch, kernels: KernelSet) -> Result<Vec<f32>, TrainError> {
    let mut tape = Tape::off(kernels);
    let run = Forward::evaluation(&mut tape, &batch.samples);
    Ok(given::forward(device, net, batch, &mut Ahead::nothing(), run)?.logits.read()?)
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

/// Evaluates `net` by so many views of each image, `batches` giving those of a view that are this rank's: the
/// probabilities are averaged. `each` is told how many samples are done, over all views.
pub fn evaluate_views<D: Kernels, B: Iterator<Item = Result<Batch, BadImage>>>(
    device: &D,
    net: &Net<D>,
    ranks: &Ranks,
    views: usize,
    batches: impl Fn(usize) -> B,
    mut each: impl FnMut(usize),
) -> Result<Evaluation, TrainError> {
    let first = evaluate(device, net, batches(0), &mut each)?;
    let own = first.samples.len();
    let first = first.joined(ranks)?;
    if views <= 1 {
        return Ok(first);
    }
    let mut all = vec![first.answers];
    for view in 1..views {
        let of_view = evaluate(device, net, batches(view), |done| each(view * own + done))?;
        all.push(of_view.joined(ranks)?.answers);
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
