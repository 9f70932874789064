//! Property tests of what training keeps, whatever the schedule is.

use super::frozen;
use super::optimizer::State;
use super::penalties::Penalties;
use super::step::{StepContext, step};
use crate::data::Batch;
use crate::engine::device::open_cpu;
use crate::engine::{Cpu, Tensor};
use crate::layers::Init;
use crate::net::{Net, Params};
use crate::plan::{PhasePlan, fixture, laws, phases};
use crate::random::{Key, Purpose};
use crate::regularize::{LossTargets, Regularization};
use crate::spec::{Path, Problems, Schedule};
use crate::weights::init::draw;
use proptest::prelude::*;

fn drawn(device: &Cpu) -> Net<Cpu> {
    let graph = laws::net();
    let key = Key::new(1, Purpose::Init);
    let tensors = graph.params.iter().map(|param| {
        let values = draw(&param.def, Init::Kaiming, key.named(&param.name));
        Tensor::from_vec(device, values, &param.def.dims).unwrap()
    });
    let params = Params::new(tensors.collect());
    Net { graph, params }
}

fn batch() -> Batch {
    let mut stream = Key::new(2, Purpose::Init).stream();
    Batch {
        images: (0..3 * 8 * 8 * 4).map(|_| stream.normal()).collect(),
        dims: [3, 8, 8, 4],
        labels: vec![0, 1, 0],
        targets: vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0],
        samples: vec![0, 1, 2],
        features: None,
    }
}

fn planned(yaml: &str, net: &Net<Cpu>) -> Option<Vec<PhasePlan>> {
    let schedule: Schedule = fixture::yaml(yaml);
    let mut problems = Problems::default();
    schedule.check_forms(&Path::of("schedule"), &mut problems);
    let phases = phases(&schedule, &net.graph, &mut problems);
    problems.0.is_empty().then_some(phases)
}

/// By parameter: whether any of its bits differ.
fn changed(net: &Net<Cpu>, before: &[Vec<f32>]) -> Vec<bool> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    before.iter().enumerate().map(|(id, before)| bits(before) != bits(&net.params.get(id).to_vec())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What a step changes is a function of the plan and of the phase alone: a parameter of a group and a
    /// statistic that follows the batch may change, all else keeps every bit, whatever trained before.
    #[test]
    fn frozen_tensors_keep_every_bit_in_every_phase_of_any_schedule(yaml in laws::schedules()) {
        let device = open_cpu().unwrap();
        let mut net = drawn(&device);
        let Some(planned_phases) = planned(&yaml, &net) else { return Ok(()) };
        prop_assert_eq!(&planned(&yaml, &net).unwrap(), &planned_phases, "planned again, it is the same");
        let mut optimizer = State::new(fixture::yaml::<Schedule>(&yaml).optimizer);
        for phase in &planned_phases {
            let trainable = phase.trainable(net.graph.params.len());
            net.params.want_grads(&trainable);
            optimizer.begin(phase);
            let before: Vec<Vec<f32>> = net.params.tensors().iter().map(Tensor::to_vec).collect();
            let hash = frozen::hash(&net, &phase.frozen).unwrap();
            let context = StepContext {
                device: &device,
                phase,
                regularization: &Regularization::default(),
                targets: &LossTargets::plain(),
                penalties: &Penalties::none(),
                key: Key::new(3, Purpose::Layer),
                shared: None,
            };
            step(&context, &mut net, &mut optimizer, &batch(), 1.0, 0).unwrap();
            prop_assert_eq!(frozen::hash(&net, &phase.frozen).unwrap(), hash);
            for (id, changed) in changed(&net, &before).into_iter().enumerate() {
                let param = &net.graph.params[id];
                let may = trainable[id] || phase.moves(&net.graph, id);
                prop_assert!(may || !changed, "{} changed in {}: {yaml}", param.name, phase.name);
                // The head's bias has a gradient whatever the ReLUs let through.
                let must = trainable[id] && param.name == "head.linear.bias";
                prop_assert!(changed || !must, "{} did not change in {}: {yaml}", param.name, phase.name);
            }
        }
    }
}
