//! Learning rates: by group as the spec gives them, or stage by stage, in which case a group falls
//! into one group a stage. Every parameter stays in exactly one group.

use super::Group;
use super::groups::by_group;
use super::pattern::EVERYTHING;
use crate::net::{Graph, ParamId};
use crate::spec::Draft;
use crate::spec::learning_rate::{Discriminative, LayerDecay};
use crate::spec::{LearningRate, Problem, Problems};

/// The learning rate of each entry of `train`, 0 where it is given by stage. An entry without one is a
/// problem.
pub fn by_entry(draft: &Draft, problems: &mut Problems) -> Vec<f64> {
    let LearningRate::Groups(given) = &draft.phase.lr else {
        return vec![0.0; draft.phase.train.len()];
    };
    let rates = by_group(given, "lr", draft, problems);
    let named = draft.phase.train.iter().zip(rates).map(|(group, rate)| {
        rate.unwrap_or_else(|| {
            let problem = Problem::new(draft.at.setting("lr"), format!("`{group}` has no learning rate"));
            problems
                .push(problem.help(format!("add `\"{group}\": RATE`, or `\"*\": RATE` for all that are not named")));
            0.0
        })
    });
    named.collect()
}

/// The groups with the rates that the spec gives by stage: each falls into a group a stage, in the
/// net's order. Rates given by group stay as they are.
pub fn by_stage(groups: Vec<Group>, lr: &LearningRate, graph: &Graph) -> Vec<Group> {
    let mut training: Vec<usize> = groups.iter().flat_map(|group| stages_of(group, graph)).collect();
    training.sort_unstable();
    training.dedup();
    let rate = |stage: usize| match lr {
        LearningRate::Groups(_) => None,
        LearningRate::LayerDecay(decay) => Some(decayed(*decay, graph, stage)),
        LearningRate::Discriminative(rates) => {
            let above = training.iter().filter(|&&other| other > stage).count();
            Some(between(*rates, above, training.len()))
        }
    };
    groups.into_iter().flat_map(|group| split(group, graph, &rate)).collect()
}

/// The group's part of each stage, at the stage's rate; the group itself where stages have none.
fn split(group: Group, graph: &Graph, rate: &dyn Fn(usize) -> Option<f64>) -> Vec<Group> {
    let parts = stages_of(&group, graph).into_iter().map(|stage| {
        let params: Vec<ParamId> =
            group.params.iter().copied().filter(|&param| graph.stage_of(param) == stage).collect();
        Some(Group { name: part_name(&group.name, graph, stage), params, lr: rate(stage)?, ..group.clone() })
    });
    let parts: Option<Vec<Group>> = parts.collect();
    match parts {
        Some(parts) if !parts.is_empty() => parts,
        _ => vec![group],
    }
}

/// `layer4` for the part of `"*"` or a range that is this stage; `re:conv in layer4` for a pattern's.
fn part_name(group: &str, graph: &Graph, stage: usize) -> String {
    let stage = &graph.stages[stage].name;
    if group.starts_with("re:") && group != EVERYTHING { format!("{group} in {stage}") } else { stage.clone() }
}

/// The stages in which a group trains something, in the net's order.
fn stages_of(group: &Group, graph: &Graph) -> Vec<usize> {
    let mut stages: Vec<usize> = group.params.iter().map(|&param| graph.stage_of(param)).collect();
    stages.sort_unstable();
    stages.dedup();
    stages
}

/// `top * decay^d`, where `d` counts the stages with parameters that are nearer to the output.
fn decayed(decay: LayerDecay, graph: &Graph, stage: usize) -> f64 {
    let nearer = (stage + 1..graph.stages.len()).filter(|&stage| graph.param_count(stage) > 0).count();
    decay.top * decay.layer_decay.powi(i32::try_from(nearer).unwrap_or(i32::MAX))
}

/// The rate of the stage with `above` others above it: `top` for the first of `count`, `bottom` for
/// the last, by equal factors between. A single stage has `top`.
fn between(rates: Discriminative, above: usize, count: usize) -> f64 {
    let Discriminative { top, bottom } = rates;
    if above == 0 {
        top
    } else if above + 1 == count {
        bottom
    } else {
        top * (bottom / top).powf(above as f64 / (count - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PhasePlan, fixture};

    const STAGES: &[&str] = &["stem", "blocks.0", "blocks.1", "head"];

    fn draft(phase: &str) -> Draft {
        let schedule = fixture::yaml(&format!("phases: [{{ name: a, epochs: 1, {phase} }}]"));
        fixture::drafts(&schedule).remove(0)
    }

    fn groups(phase: &str) -> Vec<(String, f64)> {
        let mut problems = Problems::default();
        let phase = PhasePlan::resolve(&draft(phase), &fixture::net(STAGES), &mut problems);
        let groups = problems.or(phase.groups).unwrap();
        groups.into_iter().map(|group| (group.name, group.lr)).collect()
    }

    fn assert_groups(phase: &str, expected: &[(&str, f64)]) {
        let groups = groups(phase);
        assert_eq!(groups.len(), expected.len(), "{phase}: {groups:?}");
        for ((name, lr), (expected, rate)) in groups.iter().zip(expected) {
            assert!(name == expected && (lr / rate - 1.0).abs() < 1e-12, "{phase}: {groups:?}");
        }
    }

    #[test]
    fn every_group_has_a_learning_rate_and_every_rate_a_group() {
        let problem = |phase: &str| {
            let mut problems = Problems::default();
            by_entry(&draft(phase), &mut problems);
            assert_eq!(problems.0.len(), 1, "{problems:?}");
            (problems.0[0].path.to_string(), problems.0[0].message.clone())
        };
        assert_eq!(
            problem("train: [head, stem], lr: { head: 1 }"),
            ("schedule.phases.0.lr".into(), "`stem` has no learning rate".into())
        );
        assert_eq!(
            problem("train: [head], lr: { head: 1, stem: 1 }"),
            ("schedule.phases.0.lr.stem".into(), "`stem` is none of the groups that train in this phase".into())
        );
        let rates = by_entry(&draft("train: [head, stem], lr: { head: 1, '*': 0.5 }"), &mut Problems::default());
        assert_eq!(rates, [1.0, 0.5]);
    }

    #[test]
    fn layer_decay_counts_stages_from_the_output() {
        let lr = "lr: { layer_decay: 0.5, top: 0.8 }";
        let all = [("stem", 0.1), ("blocks.0", 0.2), ("blocks.1", 0.4), ("head", 0.8)];
        assert_groups(&format!("train: ['*'], {lr}"), &all);
        assert_groups(&format!("train: [head, blocks], {lr}"), &[all[3], all[1], all[2]]);
        // A stage's rate is its own, whatever else is frozen.
        assert_groups(&format!("train: [blocks.0], {lr}"), &[all[1]]);
        assert_groups("train: ['*'], lr: { layer_decay: 1, top: 0.5 }", &all.map(|(stage, _)| (stage, 0.5)));
    }

    #[test]
    fn discriminative_rates_go_from_top_to_bottom_of_what_trains() {
        let lr = "lr: { discriminative: { top: 1e-2, bottom: 1e-5 } }";
        let all = [("stem", 1e-5), ("blocks.0", 1e-4), ("blocks.1", 1e-3), ("head", 1e-2)];
        assert_groups(&format!("train: ['*'], {lr}"), &all);
        assert_groups(&format!("train: [head, blocks.1], {lr}"), &[("head", 1e-2), ("blocks.1", 1e-5)]);
        assert_groups(&format!("train: [head], {lr}"), &[("head", 1e-2)]);
    }

    #[test]
    fn a_pattern_across_stages_falls_into_parts_with_names_of_their_own() {
        let lr = "lr: { layer_decay: 0.5, top: 0.8 }";
        assert_groups(
            &format!("train: ['re:blocks.*bn', '*'], {lr}"),
            &[
                ("re:blocks.*bn in blocks.0", 0.2),
                ("re:blocks.*bn in blocks.1", 0.4),
                ("stem", 0.1),
                ("blocks.0", 0.2),
                ("blocks.1", 0.4),
                ("head", 0.8),
            ],
        );
    }

    #[test]
    fn stages_in_which_nothing_trains_take_no_step_of_the_way() {
        let rates = groups(
            "train: ['re:blocks.*bn', head], batch_norm: { blocks.0: frozen }, \
                            lr: { discriminative: { top: 1, bottom: 0.01 } }",
        );
        assert_eq!(rates, [("re:blocks.*bn in blocks.1".to_owned(), 0.01), ("head".to_owned(), 1.0)]);
    }
}
