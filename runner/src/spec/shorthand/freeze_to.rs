//! `freeze_to`.

use super::{Basis, names};
use crate::spec::draft::{Draft, Place};
use crate::spec::{Path, Phase, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One phase in which all stages up to this one are frozen, as fastai's `freeze_to`: `-2` trains the
/// last two, `3` freezes the first three. With `epochs` and `lr` of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FreezeTo(pub i64);

impl FreezeTo {
    /// One phase.
    pub fn drafts(self, stages: &[&str], basis: Basis<'_>, schedule: &Path, problems: &mut Problems) -> Vec<Draft> {
        let count = i64::try_from(stages.len()).unwrap_or(i64::MAX);
        let frozen = if self.0 < 0 { count.saturating_add(self.0) } else { self.0 };
        let at = schedule.key("freeze_to");
        let message = match frozen {
            ..0 => format!("the net has {count} stages: there are no last {}", self.0.unsigned_abs()),
            _ if frozen >= count => format!("the net has {count} stages: nothing would train"),
            _ => return one_phase(stages, usize::try_from(frozen).unwrap_or_default(), basis, schedule, at),
        };
        problems.push(Problem::new(at, message).help(format!("the stages are {}", stages.join(", "))));
        Vec::new()
    }
}

/// One phase in which all but the first `frozen` stages train.
pub fn one_phase(stages: &[&str], frozen: usize, basis: Basis<'_>, schedule: &Path, at: Path) -> Vec<Draft> {
    let train = names(stages.get(frozen..).unwrap_or_default());
    let phase = Phase::new("train", basis.epochs, train, basis.lr.clone());
    vec![Draft { phase, at: Place::scattered(schedule, at, Vec::new()) }]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, problem};

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        let last = "phases: [{ name: train, epochs: 5, train: [layer2, head], lr: 1e-3 }]";
        assert_same("{ epochs: 5, lr: 1e-3, freeze_to: -2 }", last);
        assert_same("{ epochs: 5, lr: 1e-3, freeze_to: 2 }", last);
        let all = "phases: [{ name: train, epochs: 5, train: [stem, layer1, layer2, head], lr: 1e-3 }]";
        assert_same("{ epochs: 5, lr: 1e-3, freeze_to: 0 }", all);
        assert_same("{ epochs: 5, lr: 1e-3, freeze_to: -4 }", all);
    }

    #[test]
    fn a_net_has_only_so_many_stages() {
        let at = "schedule.freeze_to: the net has 4 stages";
        assert_eq!(problem("{ epochs: 5, lr: 1, freeze_to: -5 }"), format!("{at}: there are no last 5"));
        assert_eq!(problem("{ epochs: 5, lr: 1, freeze_to: 4 }"), format!("{at}: nothing would train"));
        let least = problem(&format!("{{ epochs: 5, lr: 1, freeze_to: {} }}", i64::MIN));
        assert_eq!(least, format!("{at}: there are no last 9223372036854775808"));
    }
}
