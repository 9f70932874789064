//! Property tests of the laws that groups and phases keep.

use super::expand::expand;
use super::pattern::{EVERYTHING, select};
use super::{PhasePlan, fixture};
use crate::layers::NormMode;
use crate::net::Graph;
use crate::spec::{Path, Problems, Schedule};
use proptest::prelude::*;
use std::collections::HashSet;

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

/// The net that schedules are planned over.
pub fn net() -> Graph {
    fixture::net(&["stem", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "layer1", "layer2", "head"])
}

/// A phase: what it trains, the settings of its batch norm, its learning rates.
#[derive(Debug)]
struct Case {
    train: Vec<&'static str>,
    norms: Vec<(&'static str, &'static str)>,
    lr: &'static str,
}

fn cases() -> impl Strategy<Value = Case> {
    let pattern = || prop::sample::select(PATTERNS);
    let norms = prop::collection::vec((pattern(), prop::sample::select(NORMS)), 0..3);
    (prop::collection::vec(pattern(), 0..4), norms, prop::sample::select(RATES)).prop_map(|(train, norms, lr)| Case {
        train,
        norms,
        lr,
    })
}

/// Learning rates in each form.
const RATES: &[&str] = &["0.1", "{ layer_decay: 0.7, top: 0.1 }", "{ discriminative: { top: 0.1, bottom: 0.001 } }"];

impl Case {
    fn schedule(&self) -> Schedule {
        let norms: serde_json::Map<String, serde_json::Value> =
            self.norms.iter().map(|(key, setting)| ((*key).to_owned(), (*setting).into())).collect();
        let lr: serde_json::Value = fixture::yaml(self.lr);
        let phase = serde_json::json!({ "name": "a", "epochs": 1, "train": self.train, "lr": lr, "batch_norm": norms });
        serde_json::from_value(serde_json::json!({ "phases": [phase] })).unwrap()
    }

    fn resolve(&self) -> Result<PhasePlan, Problems> {
        let mut problems = Problems::default();
        let phase = PhasePlan::resolve(&fixture::drafts(&self.schedule())[0], &net(), &mut problems);
        problems.or(phase)
    }
}

proptest! {
    #[test]
    fn a_parameter_is_in_one_group_or_frozen(case in cases()) {
        let graph = net();
        let Ok(phase) = case.resolve() else { return Ok(()) };
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
    fn what_is_named_twice_is_never_planned(case in cases()) {
        let graph = net();
        let named = |pattern: &&&str| **pattern != EVERYTHING;
        let selections = case.train.iter().filter(named).map(|pattern| select(pattern, &graph, &Path::default()).unwrap());
        let mut times = vec![0; graph.params.len()];
        selections.flatten().for_each(|param| times[param] += 1);
        if times.iter().any(|&times| times > 1) {
            let case = Case { norms: vec![], ..case };
            prop_assert!(case.resolve().is_err());
        }
    }

    #[test]
    fn what_trains_is_what_the_patterns_name(case in cases()) {
        let graph = net();
        let case = Case { norms: vec![], ..case };
        let Ok(phase) = case.resolve() else { return Ok(()) };
        for pattern in case.train.iter().filter(|pattern| **pattern != EVERYTHING) {
            let mut named = select(pattern, &graph, &Path::default()).unwrap();
            named.retain(|&param| !graph.params[param].def.role.is_buffer());
            let groups = phase.groups.iter().filter(|group| group.pattern == *pattern);
            let params: Vec<_> = groups.flat_map(|group| group.params.iter().copied()).collect();
            prop_assert_eq!(named, params);
        }
        if case.train.contains(&EVERYTHING) {
            prop_assert_eq!(phase.trainable_values(&graph), 7 * (144 + 8) + 256 * 2 + 2);
        }
    }

    #[test]
    fn a_group_has_one_rate_and_a_name_of_its_own(case in cases()) {
        let graph = net();
        let Ok(phase) = case.resolve() else { return Ok(()) };
        let names: HashSet<&str> = phase.groups.iter().map(|group| group.name.as_str()).collect();
        prop_assert_eq!(names.len(), phase.groups.len());
        for group in &phase.groups {
            prop_assert!(group.lr >= 0.001 - 1e-12 && group.lr <= 0.1, "{:?}", group);
            for other in &phase.groups {
                // The further from the output, the slower.
                let (stage, above) = (graph.stage_of(group.params[0]), graph.stage_of(other.params[0]));
                prop_assert!(case.lr == RATES[0] || stage > above || group.lr <= other.lr);
            }
        }
    }

    #[test]
    fn nothing_trains_before_the_boundary(case in cases()) {
        let graph = net();
        let Ok(phase) = case.resolve() else { return Ok(()) };
        let trainable = phase.trainable(graph.params.len());
        let first = (0..graph.params.len()).find(|&param| trainable[param]).unwrap();
        prop_assert_eq!(graph.params[first].node, phase.boundary);
        let batch = (0..phase.boundary).any(|node| phase.norms[node] == NormMode::Batch);
        prop_assert_eq!(phase.prefix_is_constant(&graph), !batch);
    }

    #[test]
    fn problems_point_into_the_phase(case in cases()) {
        if let Err(problems) = case.resolve() {
            prop_assert!(!problems.0.is_empty());
            for problem in problems.0 {
                prop_assert!(problem.path.to_string().starts_with("schedule.phases.0."), "{}", problem.path);
            }
        }
    }
}

/// A schedule in any of its forms, over the stages of [`net`].
pub fn schedules() -> impl Strategy<Value = String> {
    let lr = || prop::sample::select(RATES);
    let stage = || prop::sample::select(&["stem", "blocks.1", "blocks.2-3", "layer2", "head", "layer9"][..]);
    let phase = || {
        let train = prop::collection::vec(prop::sample::select(PATTERNS), 0..3);
        (train, lr(), 0..4_usize).prop_map(|(train, lr, epochs)| {
            let train = train.iter().map(|pattern| format!("'{pattern}'")).collect::<Vec<_>>().join(", ");
            format!("{{ name: a{epochs}, epochs: {epochs}, train: [{train}], lr: {lr} }}")
        })
    };
    let stages = || {
        prop::option::of(prop::collection::vec(stage(), 0..4))
            .prop_map(|stages| stages.map_or(String::new(), |stages| format!(", stages: [{}]", stages.join(", "))))
    };
    prop_oneof![
        prop::collection::vec(phase(), 0..4).prop_map(|phases| format!("phases: [{}]", phases.join(", "))),
        (stages(), 0..3_usize)
            .prop_map(|(stages, every)| format!("gradual_unfreeze: {{ every: {every}, lr: 0.1{stages} }}")),
        (prop::collection::btree_map(0..9_usize, stage(), 0..4), 0..9_usize, lr()).prop_map(|(joining, epochs, lr)| {
            let joining: Vec<String> = joining.iter().map(|(epoch, stage)| format!("{epoch}: {stage}")).collect();
            format!("{{ unfreeze_at: {{ {} }}, epochs: {epochs}, lr: {lr} }}", joining.join(", "))
        }),
        (-9..9_i64, lr()).prop_map(|(to, lr)| format!("{{ freeze_to: {to}, epochs: 3, lr: {lr} }}")),
        (0..9_usize, lr()).prop_map(|(frozen, lr)| format!("{{ frozen_stages: {frozen}, epochs: 3, lr: {lr} }}")),
        (0..3_usize).prop_map(|epochs| format!("fine_tune: {{ epochs: {epochs}, lr: 0.1 }}")),
        lr().prop_map(|lr| format!(
            "linear_probe_then_fine_tune: {{ probe_epochs: 1, probe_lr: 0.1, epochs: 2, lr: {lr} }}"
        )),
        (stages(), lr()).prop_map(|(stages, lr)| format!("progressive_freezing: {{ every: 1, lr: {lr}{stages} }}")),
    ]
}

proptest! {
    #[test]
    fn in_every_phase_of_any_schedule_a_parameter_is_in_one_group_or_frozen(yaml in schedules()) {
        let graph = net();
        let schedule: Schedule = fixture::yaml(&yaml);
        let mut problems = Problems::default();
        schedule.check_forms(&Path::of("schedule"), &mut problems);
        let phases = super::phases(&schedule, &graph, &mut problems);
        for problem in &problems.0 {
            prop_assert!(problem.path.to_string().starts_with("schedule"), "{}", problem.path);
        }
        if !problems.0.is_empty() {
            return Ok(());
        }
        for phase in &phases {
            let trainable = phase.trainable(graph.params.len());
            prop_assert!(trainable.contains(&true), "{yaml}");
            for (param, meaning) in graph.params.iter().enumerate() {
                let groups = phase.groups.iter().filter(|group| group.params.contains(&param)).count();
                let moves = meaning.def.role.is_buffer() && phase.norms[meaning.node] == NormMode::Batch;
                prop_assert_eq!(groups, usize::from(trainable[param]));
                prop_assert_eq!(groups + usize::from(moves) + usize::from(phase.frozen[param]), 1);
            }
        }
    }

    #[test]
    fn a_schedule_written_out_means_the_same(yaml in schedules()) {
        let graph = net();
        let schedule: Schedule = fixture::yaml(&yaml);
        let mut problems = Problems::default();
        schedule.check_forms(&Path::of("schedule"), &mut problems);
        let short = super::phases(&schedule, &graph, &mut problems);
        if problems.0.is_empty() {
            let drafts = expand(&schedule, &graph, &mut problems);
            let written: Vec<serde_json::Value> =
                drafts.iter().map(|draft| serde_json::to_value(&draft.phase).unwrap()).collect();
            let long: Schedule = serde_json::from_value(serde_json::json!({ "phases": written })).unwrap();
            prop_assert_eq!(super::phases(&long, &graph, &mut problems), short);
            prop_assert_eq!(problems, Problems::default());
        }
    }
}
