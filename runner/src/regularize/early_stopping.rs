//! `early_stopping`.

use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Stops when a metric no longer gets better.
///
/// `early_stopping: { metric: val_loss, patience: 4, restore_best: true }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// What is watched.
    #[serde(default)]
    pub metric: Metric,
    /// Epochs in a row without improvement after which training stops, at least 1.
    pub patience: usize,
    /// The least change that counts as improvement, at least 0.
    #[serde(default)]
    pub min_delta: f64,
    /// Whether the run ends with its best weights rather than its last.
    #[serde(default)]
    pub restore_best: bool,
}

/// A metric of an epoch that can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Loss on the validation split; lower is better.
    #[default]
    ValLoss,
    /// Accuracy on the validation split.
    ValAccuracy,
    /// Mean over classes of the accuracy on the validation split.
    ValBalancedAccuracy,
    /// Area under the ROC curve on the validation split, mean over classes.
    ValAuc,
    /// Loss on the training split; lower is better.
    TrainLoss,
}

impl Metric {
    /// The name, as YAML has it.
    pub fn name(self) -> &'static str {
        match self {
            Metric::ValLoss => "val_loss",
            Metric::ValAccuracy => "val_accuracy",
            Metric::ValBalancedAccuracy => "val_balanced_accuracy",
            Metric::ValAuc => "val_auc",
            Metric::TrainLoss => "train_loss",
        }
    }

    /// Whether there is it only where classes are told apart.
    pub fn needs_classes(self) -> bool {
        !matches!(self, Metric::ValLoss | Metric::TrainLoss)
    }

    /// Whether a greater value is better.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Metric::ValLoss | Metric::TrainLoss)
    }

    /// Whether `value` is better than `best` by more than `min_delta`. What is not a number is never
    /// better.
    pub fn improves(self, value: f64, best: f64, min_delta: f64) -> bool {
        if self.higher_is_better() { value > best + min_delta } else { value < best - min_delta }
    }
}

impl EarlyStopping {
    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        if self.patience == 0 {
            let problem = Problem::new(at.key("patience"), "training cannot stop after 0 epochs without improvement");
            problems.push(problem.help("expected a whole number from 1"));
        }
        if !(self.min_delta >= 0.0 && self.min_delta.is_finite()) {
            let problem = Problem::new(at.key("min_delta"), format!("{} is no least change", self.min_delta));
            problems.push(problem.help("expected a number from 0"));
        }
    }
}

/// What has been seen of a watched metric. Part of a checkpoint, so that a resumed run stops when
/// the run that was interrupted would have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The best epoch so far.
    pub best: Option<Best>,
    /// Epochs in a row without improvement.
    pub waited: usize,
}

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Its number.
    pub epoch: usize,
    /// The metric's value.
    pub value: f64,
}

/// What an epoch's metric means for training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It is the best so far.
    Improved {
        /// The best before it.
        from: Option<Best>,
    },
    /// It is not; training goes on.
    Waited {
        /// Epochs in a row without improvement.
        epochs: usize,
    },
    /// It is not, and neither were the epochs before it: training stops.
    Stop(Exhausted),
}

/// Why training stops early. Its text is the reason that is logged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exhausted {
    /// What was watched.
    pub metric: Metric,
    /// Epochs in a row without improvement.
    pub waited: usize,
    /// The best epoch; none if the metric never was a number.
    pub best: Option<Best>,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (metric, waited) = (self.metric.name(), self.waited);
        let epochs = if waited == 1 { "epoch" } else { "epochs" };
        match self.best {
            Some(Best { epoch, value }) => {
                write!(f, "{metric} has not improved on {value:.4} (epoch {epoch}) for {waited} {epochs}")
            }
            None => write!(f, "{metric} has not been a number for {waited} {epochs}"),
        }
    }
}

impl Watch {
    /// Takes the metric of an epoch and says what follows from it.
    pub fn see(&mut self, rule: &EarlyStopping, epoch: usize, value: f64) -> Verdict {
        let better = match self.best {
            Some(best) => rule.metric.improves(value, best.value, rule.min_delta),
            None => value.is_finite(),
        };
        if better && value.is_finite() {
            self.waited = 0;
            return Verdict::Improved { from: self.best.replace(Best { epoch, value }) };
        }
        self.waited += 1;
        if self.waited >= rule.patience {
            return Verdict::Stop(Exhausted { metric: rule.metric, waited: self.waited, best: self.best });
        }
        Verdict::Waited { epochs: self.waited }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(metric: Metric, patience: usize, min_delta: f64) -> EarlyStopping {
        EarlyStopping { metric, patience, min_delta, restore_best: false }
    }

    /// `+` improved, a number waited, `!` stop.
    fn verdicts(rule: &EarlyStopping, values: &[f64]) -> String {
        let mut watch = Watch::default();
        let letter = |(epoch, &value)| match watch.see(rule, epoch, value) {
            Verdict::Improved { .. } => '+',
            Verdict::Waited { epochs } => char::from(b'0' + epochs as u8),
            Verdict::Stop(_) => '!',
        };
        values.iter().enumerate().map(letter).collect()
    }

    #[test]
    fn patience_is_counted_from_the_last_improvement() {
        let loss = rule(Metric::ValLoss, 3, 0.0);
        assert_eq!(verdicts(&loss, &[1.0, 0.9, 0.95, 0.9, 0.8, 0.8, 0.9, 1.0]), "++12+12!");
        let accuracy = rule(Metric::ValAccuracy, 2, 0.0);
        assert_eq!(verdicts(&accuracy, &[0.5, 0.6, 0.6, 0.7, 0.6, 0.5]), "++1+1!");
        assert_eq!(verdicts(&rule(Metric::ValLoss, 1, 0.0), &[1.0, 1.0]), "+!");
    }

    #[test]
    fn small_changes_are_no_improvement() {
        let loss = rule(Metric::ValLoss, 4, 0.1);
        assert_eq!(verdicts(&loss, &[1.0, 0.95, 0.91, 0.89, 0.80]), "+12+1");
        let auc = rule(Metric::ValAuc, 9, 0.1);
        assert_eq!(verdicts(&auc, &[0.5, 0.55, 0.625]), "+1+");
    }

    #[test]
    fn what_is_not_a_number_is_no_improvement() {
        let loss = rule(Metric::ValLoss, 3, 0.0);
        assert_eq!(verdicts(&loss, &[f64::NAN, 1.0, f64::NAN, f64::NEG_INFINITY, f64::INFINITY]), "1+12!");
    }

    #[test]
    fn the_reason_says_what_was_waited_for() {
        let loss = rule(Metric::ValLoss, 2, 0.0);
        let mut watch = Watch::default();
        watch.see(&loss, 1, 0.25);
        watch.see(&loss, 2, 0.5);
        let Verdict::Stop(reason) = watch.see(&loss, 3, 0.5) else { panic!("it should stop") };
        assert_eq!(reason.to_string(), "val_loss has not improved on 0.2500 (epoch 1) for 2 epochs");
    }

    #[test]
    fn a_watch_that_was_saved_goes_on_where_it_was() {
        let loss = rule(Metric::ValLoss, 3, 0.0);
        let values = [1.0, 0.123_456_789_012_345_67, 0.2, 0.3, 0.4];
        let mut watch = Watch::default();
        for (epoch, value) in values.into_iter().enumerate() {
            let saved = serde_json::to_string(&watch).unwrap();
            let mut resumed: Watch = serde_json::from_str(&saved).unwrap();
            assert_eq!(resumed.see(&loss, epoch, value), watch.see(&loss, epoch, value));
            assert_eq!(resumed, watch);
        }
    }

    #[test]
    fn names_are_those_of_the_yaml() {
        let all =
            [Metric::ValLoss, Metric::ValAccuracy, Metric::ValBalancedAccuracy, Metric::ValAuc, Metric::TrainLoss];
        for metric in all {
            assert_eq!(serde_yaml::to_string(&metric).unwrap().trim(), metric.name());
        }
    }
}
