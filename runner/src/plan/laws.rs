//! Property tests of the laws that groups and phases keep.

use super::expand::expand;
use super::pattern::{EVERYTHING, select};
use super::{PhasePlan, fixture};
use crate::layers::NormMode;
use crate::net::Graph;
use crate::spec::{Path, Problems, Schedule};
use proptest::prelude::*;

const PATTERNS: &[&str] = &[
    "stem",
    "blocks",
    "blocks.0",
    "blocks.1-2",
    "blocks.3",
    "layer1",
    "layer1-2",
    "layer2",
    "head",
    "*",
    "re:conv",
    "re:bn",
    r"re:^blocks\.[02]\.bn\.weight$",
    "re:running",
    "re:bias$",
];
const NORMS: &[&str] = &["frozen", "statistics", "train"];

fn net() -> Graph {
    fixture::net(&["stem", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "layer1", "layer2", "head"])
}

/// A phase by what it trains, and the settings of its batch norm.
fn phases() -> impl Strategy<Value = (Vec<&'static str>, Vec<(&'static str, &'static str)>)> {
    let pattern = || prop::sample::select(PATTERNS);
    let norms = prop::collection::vec((pattern(), prop::sample::select(NORMS)), 0..3);
    (prop::collection::vec(pattern(), 0..4), norms)
}

fn schedule(train: &[&str], norms: &[(&str, &str)]) -> Schedule {
    let norms: serde_json::Map<String, serde_json::Value> =
        norms.iter().map(|(key, setting)| ((*key).to_owned(), (*setting).into())).collect();
    let phase = serde_json::json!({ "name": "a", "epochs": 1, "train": train, "lr": 0.1, "batch_norm": norms });
    serde_json::from_value(serde_json::json!({ "phases": [phase] })).unwrap()
}

fn resolve(train: &[&str], norms: &[(&str, &str)]) -> Result<PhasePlan, Problems> {
    let mut problems = Problems::default();
    let phase = PhasePlan::resolve(&expand(&schedule(train, norms))[0], &net(), &mut problems);
    problems.or(phase)
}

proptest! {
    #[test]
    fn a_parameter_is_in_one_group_or_frozen((train, norms) in phases()) {
        let graph = net();
        let Ok(phase) = resolve(&train, &norms) else { return Ok(()) };
        let trainable = phase.trainable(graph.params.len());
        for (param, meaning) in graph.params.iter().enumerate() {
            let groups = phase.groups.iter().filter(|group| group.params.contains(&param)).count();
            let moves = meaning.def.role.is_buffer() && phase.norms[meaning.node] == NormMode::Batch;
            prop_assert_eq!(groups, usize::from(trainable[param]));
            prop_assert_eq!(usize::from(trainable[param]) + usize::from(moves) + usize::from(phase.frozen[param]), 1);
            prop_assert!(!(meaning.def.role.is_buffer() && trainable[param]));
        }
    }

    #[test]
    fn what_is_named_twice_is_never_planned((train, _) in phases()) {
        let graph = net();
        let named = |pattern: &&&str| **pattern != EVERYTHING;
        let selections = train.iter().filter(named).map(|pattern| select(pattern, &graph, &Path::default()).unwrap());
        let mut times = vec![0; graph.params.len()];
        selections.flatten().for_each(|param| times[param] += 1);
        if times.iter().any(|&times| times > 1) {
            prop_assert!(resolve(&train, &[]).is_err());
        }
    }

    #[test]
    fn what_trains_is_what_the_patterns_name((train, _) in phases()) {
        let graph = net();
        let Ok(phase) = resolve(&train, &[]) else { return Ok(()) };
        for (pattern, group) in train.iter().zip(&phase.groups).filter(|(pattern, _)| **pattern != EVERYTHING) {
            let mut named = select(pattern, &graph, &Path::default()).unwrap();
            named.retain(|&param| !graph.params[param].def.role.is_buffer());
            prop_assert_eq!(&named, &group.params);
        }
        if train.contains(&EVERYTHING) {
            prop_assert_eq!(phase.trainable_values(&graph), 7 * (144 + 8) + 256 * 2 + 2);
        }
    }

    #[test]
    fn nothing_trains_before_the_boundary((train, norms) in phases()) {
        let graph = net();
        let Ok(phase) = resolve(&train, &norms) else { return Ok(()) };
        let trainable = phase.trainable(graph.params.len());
        let first = (0..graph.params.len()).find(|&param| trainable[param]).unwrap();
        prop_assert_eq!(graph.params[first].node, phase.boundary);
        let batch = (0..phase.boundary).any(|node| phase.norms[node] == NormMode::Batch);
        prop_assert_eq!(phase.prefix_is_constant(&graph), !batch);
    }

    #[test]
    fn problems_point_into_the_phase((train, norms) in phases()) {
        if let Err(problems) = resolve(&train, &norms) {
            prop_assert!(!problems.0.is_empty());
            for problem in problems.0 {
                prop_assert!(problem.path.to_string().starts_with("schedule.phases.0."), "{}", problem.path);
            }
        }
    }
}
