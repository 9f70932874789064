//! The plan: what will be done. All names are resolved; nothing later looks at YAML again.

mod assemble;
mod auxiliary;
pub mod budget;
pub mod cache;
pub mod course;
pub mod expand;
#[cfg(test)]
mod finetuning_scheduler;
pub mod fitted;
#[cfg(test)]
pub mod fixture;
pub mod groups;
#[cfg(test)]
pub mod laws;
pub mod memory;
pub mod normalize;
pub mod norms;
pub mod pattern;
pub mod penalties;
pub mod phase;
pub mod plugins;
pub mod rates;
pub mod rewarm;
pub mod runs;
mod surgery;
#[cfg(test)]
mod tests;
mod warnings;
mod weights;

pub use cache::PhaseCache;
pub use course::{Course, course};
pub use fitted::FittedHead;
pub use memory::Memory;
pub use normalize::Normalization;
pub use penalties::Penalty;
pub use phase::{Group, PhasePlan};

use crate::data::facts::too_few_classes;
use crate::data::{DataFacts, open};
use crate::net::Graph;
use crate::plugin::Plugin;
use crate::spec::{self, Pipeline, Problem, Problems, Schedule, Task};
use crate::weights::LoadReport;
use indexmap::IndexSet;
use std::collections::HashSet;
use std::path::Path;

/// What will be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The spec, as it was understood.
    pub spec: Pipeline,
    /// What is known of the data without reading an image.
    pub data: DataFacts,
    /// The net, head included.
    pub graph: Graph,
    /// The head that is fitted before the phases, if one is.
    pub fitted: Option<FittedHead>,
    /// The phases, shorthand expanded.
    pub phases: Vec<PhasePlan>,
    /// What pulls and bounds each parameter while it trains.
    pub penalties: Vec<Penalty>,
    /// How many images of each class an epoch draws, where classes are oversampled and that is known.
    pub drawn: Option<Vec<usize>>,
    /// Per channel: `(value / 255 - mean) / std`.
    pub normalize: Normalization,
    /// The plugins that are loaded.
    pub plugins: Vec<Plugin>,
    /// The weight file held against the net; `None` where the spec names none.
    pub weights: Option<LoadReport>,
    /// What a person should know before running it.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Resolves a spec; `dir` is the folder of the spec, to which its paths are relative. Reads no
    /// image, and of a weight file only the table of contents.
    ///
    /// # Errors
    /// All that is wrong with the spec, each at its place.
    pub fn new(spec: &Pipeline, dir: &Path) -> Result<Plan, Problems> {
        let plan = Plan::resolve(spec, dir, open::facts(&spec.data, dir))?;
        let drawn = spec.data.oversample.as_ref().and_then(|oversample| {
            let counts = open::training_counts(&spec.data, dir, spec.seed)?;
            Some(oversample.drawn(&plan.data.classes, &counts))
        });
        Ok(Plan { drawn, ..plan })
    }

    /// As [`Plan::new`], for data that is open already.
    ///
    /// # Errors
    /// All that is wrong with the spec, each at its place.
    pub fn over(spec: &Pipeline, dir: &Path, data: DataFacts) -> Result<Plan, Problems> {
        Plan::resolve(spec, dir, Ok(data))
    }

    /// Epochs of all phases together.
    pub fn epochs(&self) -> usize {
        phase::epochs(&self.phases)
    }

    fn resolve(spec: &Pipeline, dir: &Path, data: Result<DataFacts, Problems>) -> Result<Plan, Problems> {
        let mut problems = Problems::default();
        spec::limits::check(spec, &mut problems);
        if !problems.0.is_empty() {
            return Err(problems);
        }
        let mut problems = spec::check(spec);
        let settled = problems.0.len();
        let data = data.map_err(|more| problems.0.extend(more.0)).ok();
        if let (Some(data), Some(weights)) = (&data, &spec.regularization.class_weights) {
            weights.check(&spec::Path::of("regularization.class_weights"), &data.classes, &mut problems);
        }
        if let (Some(data), Some(oversample)) = (&data, &spec.data.oversample) {
            oversample.check(&spec::Path::of("data.oversample"), &data.classes, &mut problems);
        }
        if let (Some(data), Task::Classify) = (&data, spec.task) {
            problems.0.extend(too_few_classes(&spec.data.source, data));
        }
        let classes = data.as_ref().map(|data| data.classes.len());
        let mut spec = spec.clone();
        let plugins = plugins::load(&spec, dir, &mut problems);
        let all_loaded = plugins.len() == spec.plugins.load.len();
        let count = classes.unwrap_or(assemble::SOME_CLASSES);
        let all_ready = plugins::resolve(&mut spec, &plugins, all_loaded, count, &mut problems);
        let spec = &spec;
        let graph = if all_ready {
            assemble::assemble(spec, classes, &mut problems)
        } else {
            assemble::without_plugins(spec, classes)
        };
        let parts = graph.map(|graph| {
            let weights = weights::hold(spec, &graph, dir, &mut problems);
            let graph = auxiliary::added(spec, graph, count, &mut problems);
            let mut phases = phases(&spec.schedule, &graph, &mut problems);
            budget::settle(spec, &graph, &mut phases, &mut problems);
            let penalties = penalties::resolve(spec, &graph, weights.as_ref(), &phases, &mut problems);
            (graph, weights, phases, penalties)
        });
        match (data, parts) {
            (Some(data), Some((graph, weights, phases, penalties))) if problems.0.is_empty() => {
                let arch = spec.backbone.as_ref().map(|backbone| backbone.arch);
                let fitted = FittedHead::resolve(spec, &graph);
                let of_fit = fitted.iter().flat_map(|fitted| fitted.warnings(spec, &graph, weights.as_ref()));
                Ok(Plan {
                    normalize: Normalization::resolve(&spec.data.image, arch),
                    warnings: warnings::all(spec, &graph, &phases, weights.as_ref(), &data)
                        .into_iter()
                        .chain(of_fit)
                        .chain(budget::warnings(spec, &graph, &phases))
                        .collect(),
                    fitted,
                    penalties,
                    drawn: None,
                    spec: spec.clone(),
                    data,
                    graph,
                    phases,
                    plugins,
                    weights,
                })
            }
            _ => Err(once(problems, settled)),
        }
    }
}

/// The phases of a schedule in a net. What is wrong goes to `problems`.
pub fn phases(schedule: &Schedule, graph: &Graph, problems: &mut Problems) -> Vec<PhasePlan> {
    let drafts = expand::expand(schedule, graph, problems);
    let mut phases: Vec<PhasePlan> = drafts.iter().map(|draft| PhasePlan::resolve(draft, graph, problems)).collect();
    rewarm::mark(&drafts, &mut phases, problems);
    phases
}

/// The problems without what they say twice: the phases of a shorthand have the same ones, and where
/// one of the first `settled` is, those that follow from it are.
fn once(problems: Problems, settled: usize) -> Problems {
    let settled_paths: HashSet<spec::Path> = problems.0.iter().take(settled).map(|first| first.path.clone()).collect();
    let mut kept: IndexSet<Problem> = IndexSet::new();
    for (place, problem) in problems.0.into_iter().enumerate() {
        if place < settled || !settled_paths.contains(&problem.path) {
            kept.insert(problem);
        }
    }
    Problems(kept.into_iter().collect())
}
