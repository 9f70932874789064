//! What batch norm does in each node, by phase.
//!
//! Each batch norm has one of three settings:
//!
//! | | statistics used | running statistics | scale and shift |
//! |---|---|---|---|
//! | `frozen` | running | frozen | frozen |
//! | `statistics` | the batch's | follow | frozen |
//! | `train` | the batch's | follow | train |
//!
//! Which one is decided so, the first that applies:
//! 1. A key of the phase's `batch_norm` other than `"*"` names it. Keys are patterns as in `train`
//!    and may name frozen parts too, but `train` cannot be set where nothing trains, and no two
//!    keys may name the same batch norm.
//! 2. `"*"`, or a value given for all: `frozen` and `statistics` hold everywhere, frozen groups
//!    included; `train` holds where the phase trains, and leaves frozen groups frozen.
//! 3. `train` where the phase trains, `frozen` elsewhere.
//!
//! A phase trains a batch norm when an entry of its `train` names one of its tensors.

use super::pattern::{EVERYTHING, select};
use crate::net::{Graph, NodeId};
use crate::spec::Draft;
use crate::spec::{NormSetting, PerGroup, Problem, Problems};

/// Each node's setting; `None` for nodes that are no batch norm.
pub fn settings(
    draft: &Draft,
    graph: &Graph,
    owners: &[Option<usize>],
    problems: &mut Problems,
) -> Vec<Option<NormSetting>> {
    let trains = |node: NodeId| graph.nodes[node].params.clone().any(|param| owners[param].is_some());
    let given = draft.phase.batch_norm.as_ref();
    let rest = match given {
        None => NormSetting::Train,
        Some(PerGroup::All(setting)) => *setting,
        Some(PerGroup::Map(map)) => map.get(EVERYTHING).copied().unwrap_or(NormSetting::Train),
    };
    let keys = given.map(|given| by_key(given, draft, graph, &trains, problems)).unwrap_or_default();
    (0..graph.nodes.len())
        .map(|node| {
            let rest = if rest == NormSetting::Train && !trains(node) { NormSetting::Frozen } else { rest };
            is_norm(graph, node).then(|| keys.get(node).copied().flatten().unwrap_or(rest))
        })
        .collect()
}

/// True for nodes that keep running statistics.
pub fn is_norm(graph: &Graph, node: NodeId) -> bool {
    graph.nodes[node].params.clone().any(|param| graph.params[param].def.role.is_buffer())
}

/// The settings that keys other than `"*"` make, by node.
fn by_key(
    given: &PerGroup<NormSetting>,
    draft: &Draft,
    graph: &Graph,
    trains: &dyn Fn(NodeId) -> bool,
    problems: &mut Problems,
) -> Vec<Option<NormSetting>> {
    let mut set: Vec<Option<(NormSetting, &str)>> = vec![None; graph.nodes.len()];
    for key in given.names() {
        let at = draft.at.setting("batch_norm").key(key);
        let (params, setting) = match (select(key, graph, &at), given.get(key)) {
            (Ok(params), Some(setting)) => (params, *setting),
            (Err(problem), _) => {
                problems.push(problem.at_key());
                continue;
            }
            (Ok(_), None) => continue,
        };
        let mut nodes: Vec<NodeId> = params.into_iter().map(|param| graph.params[param].node).collect();
        nodes.dedup();
        nodes.retain(|&node| is_norm(graph, node));
        if nodes.is_empty() {
            problems.push(Problem::new(at.clone(), format!("there is no batch norm in `{key}`")).at_key());
        }
        if setting == NormSetting::Train
            && let Some(&still) = nodes.iter().find(|&&node| !trains(node))
        {
            let name = &graph.nodes[still].name;
            let message = format!("batch norm cannot train in `{key}`: `{name}` is frozen in this phase");
            let help = "add it to `train`; or `statistics` lets running statistics follow, scale and shift frozen";
            problems.push(Problem::new(at.clone(), message).help(help));
        }
        if let Some((node, earlier)) = nodes.iter().find_map(|&node| Some((node, set[node]?.1))) {
            let message = format!("`{key}` overlaps `{earlier}`: both name `{}`", graph.nodes[node].name);
            problems.push(Problem::new(at, message).at_key());
        }
        for node in nodes {
            set[node].get_or_insert((setting, key));
        }
    }
    set.into_iter().map(|given| given.map(|(setting, _)| setting)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{fixture, groups};

    fn resolve(phase: &str) -> (Vec<NormSetting>, Problems) {
        let schedule = fixture::yaml(&format!("phases: [{{ name: a, epochs: 1, lr: 1, {phase} }}]"));
        let (draft, graph) =
            (fixture::drafts(&schedule).remove(0), fixture::net(&["stem", "blocks.0", "blocks.1", "head"]));
        let mut problems = Problems::default();
        let owners = groups::owners(&draft, &graph, &mut problems);
        let settings = settings(&draft, &graph, &owners, &mut problems);
        (settings.into_iter().flatten().collect(), problems)
    }

    fn modes(phase: &str) -> String {
        let (settings, problems) = resolve(phase);
        assert_eq!(problems, Problems::default());
        let letter = |setting| match setting {
            NormSetting::Frozen => 'f',
            NormSetting::Statistics => 's',
            NormSetting::Train => 't',
        };
        settings.into_iter().map(letter).collect()
    }

    #[test]
    fn by_default_it_does_as_its_group() {
        assert_eq!(modes("train: [head]"), "fff");
        assert_eq!(modes("train: [blocks.1]"), "fft");
        assert_eq!(modes("train: ['*']"), "ttt");
        assert_eq!(modes("train: ['re:stem.bn.bias']"), "tff");
        assert_eq!(modes("train: ['re:conv']"), "fff");
    }

    #[test]
    fn one_value_for_all_reaches_frozen_groups_unless_it_is_train() {
        assert_eq!(modes("train: [blocks], batch_norm: frozen"), "fff");
        assert_eq!(modes("train: [blocks], batch_norm: statistics"), "sss");
        assert_eq!(modes("train: [blocks], batch_norm: train"), "ftt");
        assert_eq!(modes("train: [blocks], batch_norm: { '*': statistics }"), "sss");
    }

    #[test]
    fn keys_come_before_the_rest() {
        assert_eq!(modes("train: [blocks], batch_norm: { blocks: frozen }"), "fff");
        assert_eq!(modes("train: [blocks], batch_norm: { blocks.0: frozen, stem: statistics }"), "sft");
        assert_eq!(modes("train: [blocks], batch_norm: { blocks.1: train, '*': statistics }"), "sst");
    }

    #[test]
    fn problems_point_at_the_key() {
        let problem = |phase: &str| {
            let (_, problems) = resolve(phase);
            assert_eq!(problems.0.len(), 1, "{problems:?}");
            (problems.0[0].path.to_string(), problems.0[0].message.clone())
        };
        let at = |key: &str| format!("schedule.phases.0.batch_norm.{key}");
        assert_eq!(
            problem("train: [head], batch_norm: { stem: train }"),
            (at("stem"), "batch norm cannot train in `stem`: `stem.bn` is frozen in this phase".into())
        );
        assert_eq!(
            problem("train: [head], batch_norm: { head: frozen }"),
            (at("head"), "there is no batch norm in `head`".into())
        );
        assert_eq!(
            problem("train: [head], batch_norm: { stme: frozen }"),
            (at("stme"), "no stage is named `stme`".into())
        );
        assert_eq!(
            problem("train: [head], batch_norm: { blocks: frozen, blocks.0: statistics }"),
            (at("blocks.0"), "`blocks.0` overlaps `blocks`: both name `blocks.0.bn`".into())
        );
    }
}
