//! Which groups of a phase warm up again: those that trained in the phase before.

use super::{Group, PhasePlan};
use crate::net::ParamId;
use crate::spec::{Draft, Problem, Problems};
use std::collections::BTreeSet;

/// Marks the groups that go on from the phase before, in phases that let them warm up again. A group that trained
/// in part falls into two; every parameter stays in exactly one group.
pub fn mark(drafts: &[Draft], phases: &mut [PhasePlan], problems: &mut Problems) {
    let mut before: Option<BTreeSet<ParamId>> = None;
    for (phase, draft) in phases.iter_mut().zip(drafts) {
        let trained: BTreeSet<ParamId> = phase.groups.iter().flat_map(|group| group.params.iter().copied()).collect();
        if phase.rewarm.is_some() {
            let earlier = before.take().unwrap_or_default();
            phase.groups = phase.groups.drain(..).flat_map(|group| split(group, &earlier)).collect();
            if !phase.groups.iter().any(|group| group.again) {
                let message = "`rewarm` is for what trained in the phase before, and nothing of this phase did";
                let help = "`warm_up` lets all groups warm up";
                problems.push(Problem::new(draft.at.setting("rewarm"), message).at_key().help(help));
            }
        }
        before = Some(trained);
    }
}

fn split(group: Group, earlier: &BTreeSet<ParamId>) -> Vec<Group> {
    let (again, joining): (Vec<ParamId>, Vec<ParamId>) = group.params.iter().partition(|param| earlier.contains(param));
    if again.is_empty() {
        return vec![group];
    }
    if joining.is_empty() {
        return vec![Group { again: true, ..group }];
    }
    let name = format!("{} again", group.name);
    vec![Group { params: joining, ..group.clone() }, Group { name, params: again, again: true, ..group }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{fixture, phases};

    fn groups(second: &str) -> Result<Vec<(String, usize, bool)>, String> {
        let yaml = format!(
            "phases: [{{ name: a, epochs: 1, train: [head], lr: 1 }}, {{ name: b, epochs: 2, lr: 1, {second} }}]"
        );
        let (net, mut problems) = (fixture::net(&["stem", "layer1", "head"]), Problems::default());
        let phases = phases(&fixture::yaml(&yaml), &net, &mut problems);
        match problems.0.first() {
            Some(problem) => Err(format!("{}: {}", problem.path, problem.message)),
            None => {
                Ok(phases[1].groups.iter().map(|group| (group.name.clone(), group.params.len(), group.again)).collect())
            }
        }
    }

    #[test]
    fn groups_that_trained_before_warm_up_again() {
        let group = |name: &str, params, again| (name.to_owned(), params, again);
        assert_eq!(
            groups("train: [head, layer1], rewarm: 1").unwrap(),
            [group("head", 2, true), group("layer1", 3, false)]
        );
        assert_eq!(groups("train: ['*'], rewarm: 1").unwrap(), [group("*", 6, false), group("* again", 2, true)]);
        assert_eq!(groups("train: ['*']").unwrap(), [group("*", 8, false)]);
    }

    #[test]
    fn where_nothing_goes_on_nothing_warms_up_again() {
        let message = "`rewarm` is for what trained in the phase before, and nothing of this phase did";
        assert_eq!(groups("train: [stem], rewarm: 1").unwrap_err(), format!("schedule.phases.1.rewarm: {message}"));
    }
}
