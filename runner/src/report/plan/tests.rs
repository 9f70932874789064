//! The plan of `pipelines/medical.yaml`, to the last figure.

use super::PlanReport;
use crate::data::{Batch, DataFacts};
use crate::engine::{Cpu, Tensor};
use crate::layers::Init;
use crate::net::{Net, Param, Params};
use crate::plan::Plan;
use crate::random::{Key, Purpose};
use crate::regularize::LossTargets;
use crate::spec::{self, Override};
use crate::train::optimizer::State;
use crate::train::penalties::Penalties;
use crate::train::step::{StepContext, step};
use crate::weights::init;
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

/// The medical pipeline's net with values drawn by its `init`.
fn drawn(plan: &Plan, device: &Cpu) -> Net<Cpu> {
    let key = Key::new(plan.spec.seed, Purpose::Init);
    let draw = |(id, param): (usize, &Param)| {
        let values = init::draw(&param.def, Init::default(), key.with(id as u64));
        Tensor::from_vec(device, values, &param.def.dims).unwrap()
    };
    let params = plan.graph.params.iter().enumerate().map(draw).collect();
    Net { graph: plan.graph.clone(), params: Params::new(params) }
}

#[test]
fn the_counts_are_what_the_optimizer_visits() {
    let plan = plan("medical.yaml", &["data.image.size=32"]);
    let report = PlanReport::of(&plan);
    let device = Cpu::default();
    let mut random = Key::new(plan.spec.seed, Purpose::Synthetic).stream();
    let batch = Batch {
        images: (0..4 * 32 * 32 * 3).map(|_| random.range(-1.0, 1.0)).collect(),
        dims: [4, 32, 32, 3],
        labels: vec![0, 1, 2, 0],
        targets: [0, 1, 2, 0].iter().flat_map(|&label| (0..3).map(move |class| f32::from(class == label))).collect(),
        samples: vec![0, 1, 2, 3],
        features: None,
    };
    for (phase, told) in plan.phases.iter().zip(&report.phases) {
        let mut net = drawn(&plan, &device);
        let trainable = phase.trainable(plan.graph.params.len());
        net.params.want_grads(&trainable);
        let before: Vec<Vec<f32>> = net.params.tensors().iter().map(Tensor::to_vec).collect();
        let mut optimizer = State::new(plan.spec.schedule.optimizer.clone());
        optimizer.begin(phase);
        let context = StepContext {
            device: &device,
            phase,
            regularization: &plan.spec.regularization,
            targets: &LossTargets::plain(),
            penalties: &Penalties::none(),
            key: Key::new(plan.spec.seed, Purpose::Layer),
            shared: None,
        };
        step(&context, &mut net, &mut optimizer, &batch, 1.0, 0).unwrap();

        let visited: usize = optimizer.memory().keys().map(|&param| net.params.get(param).len()).sum();
        assert_eq!(visited, told.trainable, "{}", told.name);
        assert_eq!(told.trainable + told.frozen, report.parameters);
        assert!(optimizer.memory().keys().all(|&param| trainable[param]));
        for (id, (param, before)) in plan.graph.params.iter().zip(before).enumerate() {
            let moved = net.params.get(id).to_vec() != before;
            assert_eq!(moved, !phase.frozen[id], "{} in phase {}", param.name, told.name);
        }
    }
}

#[test]
fn lines_fit_the_terminal() {
    let text = PlanReport::of(&plan("medical.yaml", &[])).to_string();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}\n{text}");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
}
