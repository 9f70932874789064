//! What learning rates are multiplied by in a step.

use crate::optim::{Clock, schedule};
use crate::plan::{Group, PhasePlan};
use crate::regularize::History;
use serde::{Deserialize, Serialize};

/// What the learning rates of a phase are multiplied by in a step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factors {
    /// Those of groups that join with the phase, or that do not warm up again.
    pub joining: f64,
    /// Those of groups that warm up again.
    pub again: f64,
}

impl From<f64> for Factors {
    /// The same for all.
    fn from(factor: f64) -> Self {
        Factors { joining: factor, again: factor }
    }
}

impl Factors {
    /// What a phase's schedulers give. Groups that warm up again have `rewarm` in the place of `warm_up`.
    pub fn of(phase: &PhasePlan, clock: Clock, history: &History) -> Self {
        let factor = |warm_up| schedule::factor(&phase.scheduler, warm_up, clock, history);
        let warm_up = phase.warm_up.as_ref();
        Factors { joining: factor(warm_up), again: factor(phase.rewarm.as_ref().or(warm_up)) }
    }

    /// The factor of a group.
    pub fn of_group(self, group: &Group) -> f64 {
        if group.again { self.again } else { self.joining }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{fixture, phases};
    use crate::spec::Problems;

    #[test]
    fn what_goes_on_rises_again_while_what_joins_is_at_its_rate() {
        let yaml = "phases:
          - { name: a, epochs: 1, train: [head], lr: 1 }
          - { name: b, epochs: 4, train: [head, stem], lr: 1, rewarm: { epochs: 2, from: 0.5 } }";
        let mut problems = Problems::default();
        let phases = phases(&fixture::yaml(yaml), &fixture::net(&["stem", "head"]), &mut problems);
        let phase = problems.or(&phases[1]).unwrap();
        let at = |step| Factors::of(phase, Clock { step, steps: 8, steps_per_epoch: 2 }, &History::default());
        let of = |name: &str, step| at(step).of_group(phase.groups.iter().find(|group| group.name == name).unwrap());
        assert_eq!([0, 1, 2, 3, 4, 7].map(|step| of("head", step)), [0.5, 0.625, 0.75, 0.875, 1.0, 1.0]);
        assert_eq!([0, 1, 7].map(|step| of("stem", step)), [1.0; 3]);
    }
}
