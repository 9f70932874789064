//! What is measured over a split: one metric a file.

pub mod accuracy;
pub mod auc;
pub mod confusion;
pub mod per_class;

pub use confusion::Confusion;
pub use per_class::ClassScore;

use serde::{Deserialize, Serialize};

/// The answers of a net over a split, next to the truth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// Classes.
    pub classes: usize,
    /// Each sample's true class.
    pub labels: Vec<usize>,
    /// Each sample's probabilities, `labels.len() * classes` values.
    pub probabilities: Vec<f32>,
    /// Sum over samples of their cross-entropy.
    pub loss_sum: f64,
}

impl Answers {
    /// No answers yet, over so many classes.
    pub fn new(classes: usize) -> Self {
        Answers { classes, labels: Vec::new(), probabilities: Vec::new(), loss_sum: 0.0 }
    }

    /// Adds a batch: true classes and logits (N, K).
    pub fn push(&mut self, labels: &[usize], logits: &[f32]) {
        self.labels.extend_from_slice(labels);
        for (row, &label) in logits.chunks_exact(self.classes.max(1)).zip(labels) {
            self.probabilities.extend(softmax(row));
            self.loss_sum += cross_entropy(row, label);
        }
    }

    /// The answers with the mean probabilities of several nets, or of several views of the same samples.
    pub fn mean(all: &[Answers]) -> Answers {
        let Some(first) = all.first() else { return Answers::default() };
        let share = 1.0 / all.len() as f64;
        let mean = |value: usize| all.iter().map(|one| f64::from(one.probabilities[value])).sum::<f64>() * share;
        let probabilities: Vec<f32> = (0..first.probabilities.len()).map(|value| mean(value) as f32).collect();
        let own = probabilities.chunks_exact(first.classes.max(1)).zip(&first.labels).map(|(row, &label)| row[label]);
        // A probability too small for a float is not taken for impossible.
        let loss_sum = own.map(|p| -f64::from(p.max(f32::MIN_POSITIVE)).ln()).sum();
        Answers { classes: first.classes, labels: first.labels.clone(), probabilities, loss_sum }
    }

    /// The probabilities of each sample.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes.max(1))
    }

    /// The class that each sample is taken for.
    pub fn predicted(&self) -> Vec<usize> {
        self.rows().map(largest).collect()
    }
}

/// The probabilities that logits stand for.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - top).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|&value| (value / sum) as f32).collect()
}

/// The place of the largest value; the first of several.
pub fn largest(values: &[f32]) -> usize {
    values.iter().enumerate().fold(0, |best, (i, &value)| if value > values[best] { i } else { best })
}

/// All metrics of a split. Those of classes are absent where a net reconstructs images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean cross-entropy, without label smoothing and class weights; or mean squared error.
    pub loss: f64,
    /// Share of samples taken for their own class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Mean over classes of the share of their samples taken for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<f64>,
    /// Area under the ROC curve, mean over classes against the rest; absent where a class is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Mean over classes of F1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
}

impl Scores {
    /// The metrics of these answers.
    pub fn of(answers: &Answers) -> Self {
        let confusion = Confusion::of(answers);
        let classes = per_class::scores(&confusion);
        let present: Vec<&ClassScore> = classes.iter().filter(|class| class.support > 0).collect();
        let mean = |of: fn(&ClassScore) -> f64| mean(present.iter().map(|class| of(class)));
        Scores {
            loss: answers.loss_sum / answers.labels.len().max(1) as f64,
            accuracy: Some(accuracy::accuracy(&confusion)),
            balanced_accuracy: Some(mean(|class| class.recall)),
            auc: auc::macro_auc(answers),
            macro_f1: Some(mean(|class| class.f1)),
        }
    }

    /// The metric of reconstructions: their mean squared error.
    pub fn of_errors(errors: &[f64]) -> Self {
        let loss = mean(errors.iter().copied());
        Scores { loss, accuracy: None, balanced_accuracy: None, auc: None, macro_f1: None }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// The cross-entropy of one sample: minus the logarithm of its class's probability.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - top).exp()).sum();
    sum.ln() - f64::from(logits[label] - top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_of_large_logits_is_finite_and_sums_to_one() {
        let probabilities = softmax(&[1000.0, 999.0, -1000.0]);
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((probabilities[0] - 1.0 / (1.0 + (-1.0_f32).exp())).abs() < 1e-6);
    }

    #[test]
    fn scores_of_a_small_split() {
        let mut answers = Answers::new(2);
        answers.push(&[0, 0, 0, 1], &[2.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 2.0]);
        let scores = Scores::of(&answers);
        assert_eq!(answers.predicted(), [0, 0, 1, 1]);
        let near = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-12;
        assert!(near(scores.accuracy, 0.75));
        assert!(near(scores.balanced_accuracy, f64::midpoint(2.0 / 3.0, 1.0)));
        // F1: class 0 precision 1, recall 2/3 -> 0.8; class 1 precision 1/2, recall 1 -> 2/3.
        assert!(near(scores.macro_f1, f64::midpoint(0.8, 2.0 / 3.0)));
        let right = -(1.0 / (1.0 + (-2.0_f64).exp())).ln();
        let wrong = -(1.0 / (1.0 + 2.0_f64.exp())).ln();
        assert!((scores.loss - (3.0 * right + wrong) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn the_mean_of_answers_is_that_of_their_probabilities() {
        let one = |logits: &[f32]| {
            let mut answers = Answers::new(2);
            answers.push(&[1], logits);
            answers
        };
        let (a, b) = (one(&[0.0, 0.0]), one(&[3.0_f32.ln(), 0.0]));
        let mean = Answers::mean(&[a.clone(), b]);
        assert!((mean.probabilities[0] - 0.625).abs() < 1e-6 && (mean.probabilities[1] - 0.375).abs() < 1e-6);
        assert!((mean.loss_sum + 0.375_f64.ln()).abs() < 1e-6);
        let same = Answers::mean(&[a.clone(), a.clone()]);
        assert_eq!((same.probabilities, same.labels), (a.probabilities, a.labels));
        assert!(one(&[0.0, -200.0]).loss_sum.is_finite());
        assert!(Answers::mean(&[one(&[0.0, -200.0])]).loss_sum.is_finite());
    }

    #[test]
    fn an_empty_split_has_scores_of_zero() {
        let scores = Scores::of(&Answers::new(3));
        assert_eq!(scores.accuracy, Some(0.0));
        assert_eq!(scores.auc, None);
    }
}
