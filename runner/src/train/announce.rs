//! What a run says of itself when it and its phases begin.

use super::events::{Counts, Event, KeptFeatures, LoadedPlugin, Together};
use super::run::Job;
use super::sampling;
use super::summary::rates;
use crate::engine::Kernels;
use crate::net::Net;
use crate::plan::PhasePlan;
use crate::plugin::Plugin;

/// The run begins.
pub fn run_started<D: Kernels>(device: &D, job: &Job<'_>, weights: String) -> Event {
    let (plan, data) = (&job.plan, &job.data);
    Event::RunStarted {
        name: plan.spec.name.clone(),
        run_dir: job.dir.path().display().to_string(),
        version: env!("CARGO_PKG_VERSION"),
        seed: plan.spec.seed,
        device: device.describe(),
        ranks: together(job),
        data: data.facts.description.clone(),
        fallback: data.facts.fallback,
        classes: data.facts.classes.clone(),
        samples: Counts { train: data.train.len(), val: data.val.len(), test: data.test.len() },
        drawn: plan.spec.data.oversample.as_ref().map(|_| sampling::counts(data, &plan.spec).iter().sum()),
        bad_images: job.bad.iter().map(ToString::to_string).collect(),
        weights,
        plugins: plan.plugins.iter().map(loaded).collect(),
    }
}

/// Who trains together, where that is more than one process, or was when the run began.
fn together(job: &Job<'_>) -> Option<Together> {
    let (count, batch) = (job.ranks.count(), job.plan.spec.data.batch);
    (count > 1 || job.batches_a_step > 1).then(|| Together { count, batch, step: job.step_rows() })
}

fn loaded(plugin: &Plugin) -> LoadedPlugin {
    LoadedPlugin { name: plugin.name.clone(), version: plugin.version.clone(), sha256: plugin.sha256.clone() }
}

/// A phase begins after `step` steps.
pub fn phase_started<D: Kernels>(
    net: &Net<D>,
    phase: &PhasePlan,
    trainable: &[bool],
    step: u64,
    frozen_hash: String,
    cache: Option<KeptFeatures>,
) -> Event {
    let count = |trains: bool| {
        let params = net.graph.params.iter().zip(trainable);
        let counted = params.filter(|(param, now)| **now == trains && !param.def.role.is_buffer());
        counted.map(|(param, _)| param.def.count()).sum()
    };
    Event::PhaseStarted {
        phase: phase.name.clone(),
        epochs: phase.epochs,
        step,
        lr: rates(phase, 1.0),
        trainable: count(true),
        frozen: count(false),
        frozen_hash,
        cache,
    }
}
