//! Which group each parameter belongs to, and the groups' settings.
//!
//! Every entry of a phase's `train` is a group. `"*"` is the group of all that no other entry
//! names: alone it is everything, beside others it is the rest, as in the maps of settings. What
//! no entry names is frozen. So every parameter is in exactly one group.

use super::pattern::{EVERYTHING, select};
use crate::net::{Graph, ParamId};
use crate::spec::Draft;
use crate::spec::{PerGroup, Problem, Problems};
use std::collections::{HashMap, HashSet};

/// The entry of `train` that each parameter belongs to, by parameter; `None` is frozen. Buffers
/// belong to the entry that names them, though no gradient moves them.
pub fn owners(draft: &Draft, graph: &Graph, problems: &mut Problems) -> Vec<Option<usize>> {
    let train = &draft.phase.train;
    let mut owners = vec![None; graph.params.len()];
    if train.is_empty() {
        problems
            .push(Problem::new(draft.at.trains(), "nothing trains in this phase").help("name a stage, like `head`"));
    }
    for (entry, pattern) in train.iter().enumerate().filter(|(_, pattern)| *pattern != EVERYTHING) {
        match select(pattern, graph, &draft.at.train(entry)) {
            Ok(params) => claim(entry, params, &mut owners, draft, graph, problems),
            Err(problem) => problems.push(problem),
        }
    }
    for (entry, _) in train.iter().enumerate().filter(|(_, pattern)| *pattern == EVERYTHING) {
        let rest: Vec<ParamId> = (0..owners.len()).filter(|&param| owners[param].is_none()).collect();
        if rest.iter().all(|&param| graph.params[param].def.role.is_buffer()) {
            let message = "`*` is all that no other entry names, and nothing is left";
            problems.push(Problem::new(draft.at.train(entry), message).help("leave it out"));
        }
        claim(entry, rest, &mut owners, draft, graph, problems);
    }
    owners
}

/// Gives parameters to an entry, but for those that an earlier one has: they are a problem.
fn claim(
    entry: usize,
    params: Vec<ParamId>,
    owners: &mut [Option<usize>],
    draft: &Draft,
    graph: &Graph,
    problems: &mut Problems,
) {
    let pattern = &draft.phase.train[entry];
    if !params.is_empty() && params.iter().all(|&param| graph.params[param].def.role.is_buffer()) {
        let message = format!("`{pattern}` names running statistics only, which no gradient moves");
        problems.push(Problem::new(draft.at.train(entry), message).help("see `batch_norm: statistics`"));
    }
    let (taken, free): (Vec<_>, Vec<_>) = params.into_iter().partition(|&param| owners[param].is_some());
    if let Some(earlier) = taken.first().and_then(|&param| owners[param]) {
        let other = &draft.phase.train[earlier];
        let message = if other == pattern {
            format!("`{pattern}` is listed twice")
        } else {
            format!("`{pattern}` overlaps `{other}`: both name {}", shared(&taken, graph))
        };
        let problem = Problem::new(draft.at.train(entry), message);
        problems.push(problem.help("a parameter trains in one group only: take it out of one of the two"));
    }
    for param in free {
        owners[param] = Some(entry);
    }
}

/// The stages that are in `params` as a whole, else the parameters; at most four of them.
fn shared(params: &[ParamId], graph: &Graph) -> String {
    let named: HashSet<ParamId> = params.iter().copied().collect();
    let mut names: Vec<&str> = Vec::new();
    let mut stages = HashMap::new();
    for &param in params {
        let stage = graph.stage_of(param);
        let whole = *stages.entry(stage).or_insert_with(|| graph.params_of(stage).all(|param| named.contains(&param)));
        names.push(if whole { &graph.stages[stage].name } else { &graph.params[param].name });
    }
    names.dedup();
    let more = names.len().saturating_sub(4);
    names.truncate(4);
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}

/// Each group's value of a setting that is given for all or by group; `None` where none is given.
/// Keys that are no group are problems.
pub fn by_group<T: Copy>(setting: &PerGroup<T>, key: &str, draft: &Draft, problems: &mut Problems) -> Vec<Option<T>> {
    let groups = &draft.phase.train;
    for name in setting.names().filter(|name| !groups.iter().any(|group| group == name)) {
        let message = format!("`{name}` is none of the groups that train in this phase");
        let names = groups.iter().map(String::as_str).chain([EVERYTHING]);
        problems.push(Problem::new(draft.at.setting(key).key(name), message).at_key().suggest(name, names));
    }
    groups.iter().map(|group| setting.get(group).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    fn draft(phase: &str) -> Draft {
        let schedule = fixture::yaml(&format!("phases: [{{ name: a, epochs: 1, {phase} }}]"));
        fixture::drafts(&schedule).remove(0)
    }

    fn net() -> Graph {
        fixture::net(&["stem", "blocks.0", "blocks.1", "head"])
    }

    /// The names of the groups that own each stage's first parameter.
    fn groups(phase: &str) -> Vec<Option<String>> {
        let (draft, graph, mut problems) = (draft(phase), net(), Problems::default());
        let owners = owners(&draft, &graph, &mut problems);
        assert_eq!(problems, Problems::default());
        let first = graph.stages.iter().map(|stage| graph.nodes[stage.nodes.start].params.start);
        first.map(|param| owners[param].map(|entry| draft.phase.train[entry].clone())).collect()
    }

    fn problem(phase: &str) -> (String, String) {
        let (draft, mut problems) = (draft(phase), Problems::default());
        owners(&draft, &net(), &mut problems);
        assert_eq!(problems.0.len(), 1, "{problems:?}");
        (problems.0[0].path.to_string(), problems.0[0].message.clone())
    }

    #[test]
    fn what_no_entry_names_is_frozen() {
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(groups("train: [head], lr: 1"), [None, None, None, some("head")]);
        assert_eq!(groups("train: ['*'], lr: 1"), [some("*"), some("*"), some("*"), some("*")]);
        assert_eq!(groups("train: ['*', head], lr: 1"), [some("*"), some("*"), some("*"), some("head")]);
    }

    #[test]
    fn overlaps_point_at_the_second_entry() {
        let at = "schedule.phases.0.train.1".to_owned();
        assert_eq!(
            problem("train: [blocks.0-1, blocks.1], lr: 1"),
            (at.clone(), "`blocks.1` overlaps `blocks.0-1`: both name `blocks.1`".into())
        );
        assert_eq!(
            problem("train: ['re:conv', blocks.0], lr: 1"),
            (at.clone(), "`blocks.0` overlaps `re:conv`: both name `blocks.0.conv.weight`".into())
        );
        assert_eq!(problem("train: [head, head], lr: 1"), (at.clone(), "`head` is listed twice".into()));
        let (_, message) = problem("train: [stem, blocks.0-1, 're:weight$'], lr: 1");
        assert!(message.ends_with("`blocks.0.conv.weight`, `blocks.0.bn.weight` and 2 more"), "{message}");
    }

    #[test]
    fn entries_that_train_nothing_are_problems() {
        assert_eq!(problem("train: [], lr: 1").1, "nothing trains in this phase");
        assert_eq!(
            problem("train: ['re:running_mean'], lr: 1").1,
            "`re:running_mean` names running statistics only, which no gradient moves"
        );
        assert_eq!(
            problem("train: [stem, blocks, head, '*'], lr: 1"),
            ("schedule.phases.0.train.3".into(), "`*` is all that no other entry names, and nothing is left".into())
        );
    }
}
