//! The plan of `pipelines/medical.yaml`, to the last figure.

use super::PlanReport;
use crate::data::DataFacts;
use crate::plan::Plan;
use crate::spec::{self, Override};
use std::path::{Path, PathBuf};

fn pipelines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines")
}

/// The plan as if the data set were there: what a machine has must not change the figures.
fn plan(name: &str, sets: &[&str]) -> Plan {
    let overrides: Vec<Override> = sets.iter().map(|set| Override((*set).to_owned())).collect();
    let loaded = spec::load(&pipelines().join(name), &overrides).unwrap();
    let facts = DataFacts {
        classes: ["erythrocyte", "leukocyte", "platelet"].map(str::to_owned).to_vec(),
        samples: Some(898),
        description: "blood_cells (898 images)".to_owned(),
        fallback: false,
    };
    Plan::over(&loaded.pipeline, &loaded.dir, facts).unwrap_or_else(|problems| panic!("{}", loaded.error(&problems)))
}

#[test]
fn medical_for_a_person() {
    insta::assert_snapshot!(PlanReport::of(&plan("medical.yaml", &[])).to_string());
}

#[test]
fn medical_for_programs() {
    insta::assert_json_snapshot!(PlanReport::of(&plan("medical.yaml", &[])));
}

#[test]
fn from_scratch_for_a_person() {
    insta::assert_snapshot!(PlanReport::of(&plan("from_scratch.yaml", &[])).to_string());
}

#[test]
fn lines_fit_the_terminal() {
    let text = PlanReport::of(&plan("medical.yaml", &[])).to_string();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}\n{text}");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
}
