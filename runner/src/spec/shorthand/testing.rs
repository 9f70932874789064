//! Shorthand held against the phases written out.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use crate::spec::{Phase, Problems, Schedule};

/// The stages of a small net.
pub const STAGES: &[&str] = &["stem", "layer1", "layer2", "head"];

/// Reads a schedule as a spec is read: variants with arguments are maps of one key.
pub fn schedule(yaml: &str) -> Schedule {
    let value: serde_json::Value = serde_yaml::from_str(yaml).unwrap();
    serde_json::from_value(value).unwrap()
}

/// The phases of a schedule over [`STAGES`], and what is wrong with it.
pub fn phases(yaml: &str) -> (Vec<Phase>, Problems) {
    let mut problems = Problems::default();
    let drafts = schedule(yaml).drafts(STAGES, &mut problems);
    (drafts.into_iter().map(|draft| draft.phase).collect(), problems)
}

/// Panics unless both mean the same phases.
pub fn assert_same(short: &str, long: &str) {
    let (short, problems) = phases(short);
    assert_eq!(problems, Problems::default());
    assert_eq!(short, phases(long).0);
}

/// `PATH: MESSAGE` of the one problem that a schedule has with the net.
pub fn problem(yaml: &str) -> String {
    let (_, problems) = phases(yaml);
    assert_eq!(problems.0.len(), 1, "{problems:?}");
    format!("{}: {}", problems.0[0].path, problems.0[0].message)
}
