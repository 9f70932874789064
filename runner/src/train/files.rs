//! The order of an epoch, and the files that a run leaves.

use super::evaluate::Evaluation;
use super::{RunDir, TrainError};
use crate::data::Dataset;
use crate::data::loader::shuffled;
use crate::metrics::{ClassScore, Confusion, Scores, per_class};
use indexmap::IndexMap;
use serde::Serialize;

/// The samples that an epoch draws, in its order. A last batch of one sample is left out, since
/// batch norm finds no variance in it; over the epochs every sample has its turn.
pub fn epoch_order(drawn: &[usize], seed: u64, epoch: u64, batch: usize) -> Vec<usize> {
    let mut order = shuffled(drawn, seed, epoch);
    if order.len() > 1 && order.len() % batch == 1 && batch > 1 {
        order.pop();
    }
    order
}

/// `metrics.json`.
pub fn write_metrics(dir: &RunDir, test: &Evaluation, best_epoch: usize, classes: &[String]) -> Result<(), TrainError> {
    #[derive(Serialize)]
    struct Metrics<'a> {
        best_epoch: usize,
        test: &'a Scores,
        #[serde(skip_serializing_if = "Option::is_none")]
        test_one_view: Option<&'a Scores>,
        classes: IndexMap<&'a str, ClassScore>,
        confusion: Confusion,
    }
    let confusion = Confusion::of(&test.answers);
    let metrics = Metrics {
        best_epoch,
        test: &test.scores,
        test_one_view: test.one_view.as_ref(),
        classes: classes.iter().map(String::as_str).zip(per_class::scores(&confusion)).collect(),
        confusion,
    };
    let path = dir.file("metrics.json");
    let json = serde_json::to_vec_pretty(&metrics).map_err(std::io::Error::other).map_err(TrainError::file(&path))?;
    dir.write("metrics.json", &json).map_err(TrainError::file(&path))
}

/// `predictions.csv`: a line a test sample, with its truth, what it was taken for, and the
/// probability of each class.
pub fn write_predictions(dir: &RunDir, data: &Dataset, test: &Evaluation) -> Result<(), TrainError> {
    let path = dir.file("predictions.csv");
    let csv = predictions(data, test).map_err(std::io::Error::other).map_err(TrainError::file(&path))?;
    dir.write("predictions.csv", &csv).map_err(TrainError::file(&path))
}

fn predictions(data: &Dataset, test: &Evaluation) -> Result<Vec<u8>, csv::Error> {
    let classes = &data.facts.classes;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let header = ["path", "label", "predicted"].into_iter().map(str::to_owned);
    csv.write_record(header.chain(classes.iter().map(|class| format!("p_{class}"))))?;
    let rows = test.samples.iter().zip(&test.answers.labels).zip(test.answers.predicted()).zip(test.answers.rows());
    for (((&sample, &label), predicted), probabilities) in rows {
        let sample = data.samples.samples[sample].name.clone();
        let facts = [sample, classes[label].clone(), classes[predicted].clone()];
        csv.write_record(facts.into_iter().chain(probabilities.iter().map(|p| format!("{p:.6}"))))?;
    }
    csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_every_sample_once_and_no_batch_of_one() {
        let train: Vec<usize> = (10..43).collect();
        let mut order = epoch_order(&train, 1, 1, 32);
        assert_eq!(order.len(), 32);
        assert_ne!(order, epoch_order(&train, 1, 2, 32));
        assert_eq!(order, epoch_order(&train, 1, 1, 32));
        order = epoch_order(&train, 1, 1, 16);
        assert_eq!(order.len(), 32);
        order = epoch_order(&train, 1, 1, 31);
        order.sort_unstable();
        assert_eq!(order, train);
        assert_eq!(epoch_order(&[5], 1, 1, 32), [5]);
    }
}
