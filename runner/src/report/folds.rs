//! The scores of cross-validation: a row a fold, mean and spread.

use serde_json::{Map, Value, json};
use std::fmt::{self, Display, Formatter};

/// The test scores of each fold, metric by metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoldScores {
    folds: Vec<Map<String, Value>>,
}

/// The headings of the metrics, where they are shorter than their names.
const HEADINGS: [(&str, &str); 3] = [("balanced_accuracy", "balanced"), ("auc", "AUC"), ("macro_f1", "F1")];

impl FoldScores {
    /// Adds the scores of the next fold: an object of numbers.
    pub fn push(&mut self, scores: Value) {
        if let Value::Object(scores) = scores {
            self.folds.push(scores);
        }
    }

    /// The metrics that every fold has.
    fn metrics(&self) -> impl Iterator<Item = &str> {
        let first = self.folds.first().into_iter().flat_map(Map::keys).map(String::as_str);
        first.filter(|metric| self.folds.iter().all(|fold| fold.get(*metric).is_some_and(Value::is_number)))
    }

    fn values(&self, metric: &str) -> Vec<f64> {
        self.folds.iter().filter_map(|fold| fold.get(metric)?.as_f64()).collect()
    }

    /// The scores of each fold, their mean, and their standard deviation (with n - 1).
    pub fn json(&self) -> Value {
        let of = |statistic: fn(&[f64]) -> f64| -> Map<String, Value> {
            self.metrics().map(|metric| (metric.to_owned(), json!(statistic(&self.values(metric))))).collect()
        };
        json!({ "folds": self.folds, "mean": of(mean), "standard_deviation": of(standard_deviation) })
    }
}

impl Display for FoldScores {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut row = |title: &str, cell: &dyn Fn(&str) -> String| -> fmt::Result {
            write!(f, "  {title:<6}")?;
            for metric in self.metrics() {
                write!(f, "  {:>10}", cell(metric))?;
            }
            writeln!(f)
        };
        row("fold", &|metric| heading(metric).to_owned())?;
        for (place, fold) in self.folds.iter().enumerate() {
            let cell = |metric: &str| format!("{:.4}", fold.get(metric).and_then(Value::as_f64).unwrap_or(f64::NAN));
            row(&(place + 1).to_string(), &cell)?;
        }
        row("mean", &|metric| format!("{:.4}", mean(&self.values(metric))))?;
        row("spread", &|metric| format!("± {:.4}", standard_deviation(&self.values(metric))))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn heading(metric: &str) -> &str {
    HEADINGS.iter().find(|(name, _)| *name == metric).map_or(metric, |(_, heading)| *heading)
}

/// Of a sample: with n - 1.
fn standard_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (squares / (values.len().max(2) - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_spread_are_those_of_the_folds() {
        let mut scores = FoldScores::default();
        scores.push(json!({ "loss": 0.5, "accuracy": 0.9, "macro_f1": 0.8, "auc": 1.0 }));
        scores.push(json!({ "loss": 1.5, "accuracy": 0.7, "macro_f1": 0.8 }));
        let expected = [
            "  fold          loss    accuracy          F1",
            "  1           0.5000      0.9000      0.8000",
            "  2           1.5000      0.7000      0.8000",
            "  mean        1.0000      0.8000      0.8000",
            "  spread    ± 0.7071    ± 0.1414    ± 0.0000\n",
        ];
        assert_eq!(scores.to_string(), expected.join("\n"));
        let json = scores.json();
        assert_eq!(json["mean"]["loss"], 1.0);
        assert!((json["standard_deviation"]["loss"].as_f64().unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(json["mean"].get("auc"), None, "a fold without a class has no AUC, and so there is no mean");
        assert_eq!(json["folds"].as_array().unwrap().len(), 2);
    }
}
