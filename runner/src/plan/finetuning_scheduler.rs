//! The schedules of finetuning-scheduler that the book shows, held against the pipelines beside them.

use super::{PhasePlan, Plan};
use crate::net::Graph;
use crate::spec;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const PAGE: &str = include_str!("../../../docs/src/guide/finetuning_scheduler.md");

/// A phase of theirs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Theirs {
    params: Vec<String>,
    max_transition_epoch: Option<usize>,
    lr: Option<f64>,
}

/// The rate of their optimizer, and `base_max_lr`.
const FIRST: f64 = 1e-3;
const BASE: f64 = 1e-5;

/// Their schedule and ours, of each section that has both.
fn pairs() -> Vec<(BTreeMap<usize, Theirs>, &'static str)> {
    let block = |section: &'static str, kind: &str| -> Option<&'static str> {
        let (_, rest) = section.split_once(&format!("```{kind}\n"))?;
        Some(rest.split_once("\n```")?.0)
    };
    let sections = PAGE.split("\n## ");
    sections
        .filter_map(|section| Some((block(section, "text")?, block(section, "yaml")?)))
        .map(|(theirs, ours)| (serde_yaml::from_str(theirs).unwrap(), ours))
        .collect()
}

/// What trains in each phase and at which rate, by their rules: what thawed goes on at its rate.
fn thawed(theirs: &BTreeMap<usize, Theirs>, graph: &Graph) -> Vec<BTreeMap<String, f64>> {
    let mut trains: BTreeMap<String, f64> = BTreeMap::new();
    let phases = theirs.iter().map(|(number, phase)| {
        let lr = phase.lr.unwrap_or(if *number == 0 { FIRST } else { BASE });
        for expression in &phase.params {
            let expression = Regex::new(&format!("^(?:{expression})")).unwrap();
            let params = graph.params.iter().filter(|param| !param.def.role.is_buffer());
            let before = trains.len();
            for param in params.filter(|param| expression.is_match(&param.name)) {
                trains.entry(param.name.clone()).or_insert(lr);
            }
            assert!(trains.len() > before, "{expression} thaws nothing");
        }
        trains.clone()
    });
    phases.collect()
}

fn rates(phase: &PhasePlan, graph: &Graph) -> BTreeMap<String, f64> {
    let groups = phase.groups.iter();
    groups.flat_map(|group| group.params.iter().map(|&param| (graph.params[param].name.clone(), group.lr))).collect()
}

#[test]
fn the_same_schedules_train_the_same_parameters_in_the_same_order_at_the_same_rates() {
    let pairs = pairs();
    assert_eq!(pairs.len(), 3);
    for (theirs, ours) in pairs {
        let loaded = spec::load_text("page.yaml", ours, Path::new(""), &[]).unwrap();
        let plan = Plan::new(&loaded.pipeline, Path::new("")).map_err(|problems| loaded.error(&problems)).unwrap();
        let name = &plan.spec.name;
        assert_eq!(plan.phases.len(), theirs.len(), "{name}");
        let mut done = 0;
        for ((expected, phase), theirs) in thawed(&theirs, &plan.graph).iter().zip(&plan.phases).zip(theirs.values()) {
            assert_eq!(&rates(phase, &plan.graph), expected, "{name}, {}", phase.name);
            done += phase.epochs;
            let ends = phase.until.as_ref().map_or(Some(done), |until| until.epoch);
            match theirs.max_transition_epoch {
                Some(epoch) => assert_eq!(ends, Some(epoch), "{name}, {}", phase.name),
                None => assert!(phase.until.as_ref().is_none_or(|until| until.epoch.is_none())),
            }
        }
    }
}
