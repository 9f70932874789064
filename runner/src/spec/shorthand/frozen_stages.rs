//! `frozen_stages`.

use super::Basis;
use super::freeze_to::one_phase;
use crate::spec::draft::Draft;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One phase in which the first so many stages are frozen, as `MMPretrain`'s `frozen_stages`; but the stem
/// counts as a stage here, where `MMPretrain` counts the stages after it. With `epochs` and `lr` of the
/// schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FrozenStages(pub usize);

impl FrozenStages {
    /// One phase.
    pub fn drafts(self, stages: &[&str], basis: Basis<'_>, schedule: &Path, problems: &mut Problems) -> Vec<Draft> {
        let at = schedule.key("frozen_stages");
        if self.0 >= stages.len() {
            let message = format!("the net has {} stages: nothing would train", stages.len());
            problems.push(Problem::new(at, message).help(format!("the stages are {}", stages.join(", "))));
            return Vec::new();
        }
        one_phase(stages, self.0, basis, schedule, at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, problem};

    #[test]
    fn the_shorthand_is_what_it_looks_like_written_out() {
        assert_same(
            "{ epochs: 5, lr: { layer_decay: 0.5, top: 1 }, frozen_stages: 3 }",
            "phases: [{ name: train, epochs: 5, train: [head], lr: { layer_decay: 0.5, top: 1 } }]",
        );
        assert_eq!(
            problem("{ epochs: 5, lr: 1, frozen_stages: 4 }"),
            "schedule.frozen_stages: the net has 4 stages: nothing would train"
        );
    }
}
