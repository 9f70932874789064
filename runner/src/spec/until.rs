//! `until`: a phase ends by a metric.

use super::check::range;
use super::{Path, Problem, Problems};
use crate::regularize::{EarlyStopping, History, Metric, Verdict, Watch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// When a phase ends before its epochs are done: `{ plateau: { metric: val_loss, patience: 2 } }`, or
/// `{ metric: val_accuracy, above: 0.9 }`, or `{ epoch: 9 }`, or several of them: whichever comes first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// When a metric no longer gets better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plateau: Option<Plateau>,
    /// The metric for `above` or `below`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// When the metric is above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// When the metric is below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// When so many epochs of the whole run are done, however many the phases before took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<usize>,
}

/// When a metric no longer gets better. Only epochs of this phase count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// What is watched.
    #[serde(default)]
    pub metric: Metric,
    /// Epochs in a row without improvement after which the phase ends, at least 1.
    pub patience: usize,
    /// The least change that counts as improvement, at least 0.
    #[serde(default)]
    pub min_delta: f64,
}

impl Plateau {
    fn rule(&self) -> EarlyStopping {
        EarlyStopping { metric: self.metric, patience: self.patience, min_delta: self.min_delta, restore_best: false }
    }
}

impl Until {
    /// Notes all that is wrong with it. `at` is where it stands in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        if let Some(plateau) = &self.plateau {
            let at = at.key("plateau");
            range(problems, at.key("patience"), &plateau.patience, 1.., "the number of epochs");
            range(problems, at.key("min_delta"), &plateau.min_delta, 0.0..f64::INFINITY, "the least change");
        }
        if let Some(epoch) = self.epoch {
            range(problems, at.key("epoch"), &epoch, 1.., "the epoch");
        }
        for (key, bound) in [("above", self.above), ("below", self.below)] {
            if let Some(bound) = bound {
                range(problems, at.key(key), &bound, f64::MIN..=f64::MAX, "the bound");
            }
        }
        match (self.metric, self.above, self.below) {
            (_, Some(_), Some(_)) => problems.push(
                Problem::new(at.key("below"), "`above` and `below` do not go together")
                    .at_key()
                    .help("keep the one that ends the phase"),
            ),
            (Some(metric), None, None) => problems.push(
                Problem::new(at.key("metric"), format!("what of `{}` ends the phase is missing", metric.name()))
                    .help("add `above: 0.9` or `below: 0.1`; or `plateau: { metric: ..., patience: 2 }`"),
            ),
            (None, Some(_), _) | (None, _, Some(_)) => {
                let key = if self.above.is_some() { "above" } else { "below" };
                let problem = Problem::new(at.key(key), format!("`{key}` needs a `metric`"));
                problems.push(problem.at_key().help(format!("`{{ metric: val_accuracy, {key}: 0.9 }}`")));
            }
            (None, None, None) if self.plateau.is_none() && self.epoch.is_none() => {
                problems.push(Problem::new(at.clone(), "what ends the phase is missing").help(
                    "`{ plateau: { metric: val_loss, patience: 2 } }`, or `{ metric: val_accuracy, above: 0.9 }`",
                ));
            }
            _ => {}
        }
    }

    /// The metric that it looks at; that of the plateau where there are two.
    pub fn metric(&self) -> Option<Metric> {
        self.plateau.as_ref().map(|plateau| plateau.metric).or(self.metric)
    }

    /// Why the phase ends after the epochs so far, if it does. `first` is the number of the phase's
    /// first epoch.
    pub fn reached(&self, history: &History, first: usize) -> Option<String> {
        self.bound(history).or_else(|| self.stalled(history, first)).or_else(|| self.epochs(history, first))
    }

    fn epochs(&self, history: &History, first: usize) -> Option<String> {
        let (epoch, last) = (self.epoch?, first + history.len().checked_sub(1)?);
        (last >= epoch).then(|| format!("epoch {last} of the run is done"))
    }

    fn bound(&self, history: &History) -> Option<String> {
        let metric = self.metric?;
        let value = history.values(metric).last()?;
        let bound = |reached: bool, is: &str, bound: f64| {
            reached.then(|| format!("{} is {value:.4}, {is} {bound}", metric.name()))
        };
        let above = self.above.and_then(|above| bound(value > above, "above", above));
        above.or_else(|| self.below.and_then(|below| bound(value < below, "below", below)))
    }

    fn stalled(&self, history: &History, first: usize) -> Option<String> {
        let rule = self.plateau.as_ref()?.rule();
        let mut watch = Watch::default();
        let mut verdict = None;
        for (epoch, value) in (first..).zip(history.values(rule.metric)) {
            verdict = Some(watch.see(&rule, epoch, value));
        }
        match verdict {
            Some(Verdict::Stop(why)) => Some(why.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(metric) = self.metric {
            parts.extend(self.above.map(|above| format!("{} is above {above}", metric.name())));
            parts.extend(self.below.map(|below| format!("{} is below {below}", metric.name())));
        }
        if let Some(Plateau { metric, patience, .. }) = &self.plateau {
            let s = if *patience == 1 { "" } else { "s" };
            parts.push(format!("{} has not improved for {patience} epoch{s}", metric.name()));
        }
        parts.extend(self.epoch.map(|epoch| format!("epoch {epoch} of the run is done")));
        f.write_str(&parts.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regularize::Measured;

    fn until(yaml: &str) -> Until {
        serde_yaml::from_str(yaml).unwrap()
    }

    /// After which of the epochs the phase ends, counted from 1, and why.
    fn ends(yaml: &str, measured: impl Fn(f64) -> Measured, values: &[f64]) -> Option<(usize, String)> {
        let (until, mut history) = (until(yaml), History::default());
        (1..).zip(values).find_map(|(epoch, &value)| {
            history.push(measured(value));
            Some((epoch, until.reached(&history, 11)?))
        })
    }

    fn loss(value: f64) -> Measured {
        Measured { val_loss: Some(value), ..Measured::default() }
    }

    fn accuracy(value: f64) -> Measured {
        Measured { val_accuracy: Some(value), ..Measured::default() }
    }

    #[test]
    fn a_plateau_ends_a_phase_after_its_patience() {
        let why = "val_loss has not improved on 0.9000 (epoch 12) for 2 epochs";
        let plateau = "plateau: { patience: 2 }";
        assert_eq!(ends(plateau, loss, &[1.0, 0.9, 0.9, 0.95, 0.1]), Some((4, why.into())));
        assert_eq!(ends(plateau, loss, &[1.0, 0.9, 0.9, 0.8, 0.9]), None);
        let small = "plateau: { metric: val_accuracy, patience: 1, min_delta: 0.1 }";
        assert_eq!(ends(small, accuracy, &[0.5, 0.7, 0.75]).map(|end| end.0), Some(3));
        assert_eq!(ends(plateau, loss, &[f64::NAN, f64::NAN]).map(|end| end.0), Some(2), "never a number");
    }

    #[test]
    fn a_bound_ends_a_phase_when_it_is_passed() {
        let above = "{ metric: val_accuracy, above: 0.9 }";
        assert_eq!(ends(above, accuracy, &[0.8, 0.9, 0.95]), Some((3, "val_accuracy is 0.9500, above 0.9".into())));
        assert_eq!(ends(above, loss, &[1.0, 2.0]), None, "what was not measured is above nothing");
        let below = "{ metric: val_loss, below: 0.5 }";
        assert_eq!(ends(below, loss, &[0.5, 0.25]), Some((2, "val_loss is 0.2500, below 0.5".into())));
    }

    #[test]
    fn of_two_the_first_ends_it() {
        let both = "{ metric: val_loss, below: 0.5, plateau: { patience: 1 } }";
        assert_eq!(ends(both, loss, &[1.0, 0.4]).map(|end| end.0), Some(2));
        assert_eq!(
            ends(both, loss, &[1.0, 1.0]).unwrap().1,
            "val_loss has not improved on 1.0000 (epoch 11) for 1 epoch"
        );
        assert_eq!(until(both).to_string(), "val_loss is below 0.5 or val_loss has not improved for 1 epoch");
    }

    #[test]
    fn an_epoch_of_the_run_ends_a_phase_however_long_it_is_then() {
        // The phase begins with epoch 11.
        let why = "epoch 12 of the run is done";
        assert_eq!(ends("epoch: 12", loss, &[1.0; 9]), Some((2, why.into())));
        assert_eq!(ends("epoch: 4", loss, &[1.0; 9]).map(|end| end.0), Some(1), "that epoch is over already");
        assert_eq!(ends("epoch: 20", loss, &[1.0; 9]), None);
        assert_eq!(ends("{ epoch: 14, plateau: { patience: 1 } }", loss, &[1.0; 9]).map(|end| end.0), Some(2));
        assert_eq!(until("epoch: 12").to_string(), why);
    }

    #[test]
    fn what_cannot_end_a_phase_is_a_problem() {
        for (yaml, path) in [
            ("{}", "until"),
            ("{ metric: val_loss }", "until.metric"),
            ("{ above: 0.5 }", "until.above"),
            ("{ plateau: { patience: 1 }, below: 0.5 }", "until.below"),
            ("{ metric: val_loss, above: 0.5, below: 1 }", "until.below"),
            ("{ metric: val_loss, above: .nan }", "until.above"),
            ("{ epoch: 0 }", "until.epoch"),
            ("{ plateau: { patience: 0 } }", "until.plateau.patience"),
            ("{ plateau: { patience: 1, min_delta: .inf } }", "until.plateau.min_delta"),
        ] {
            let mut problems = Problems::default();
            until(yaml).check(&Path::of("until"), &mut problems);
            let paths: Vec<String> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
            assert_eq!(paths, [path], "{yaml}");
        }
    }
}
