//! How much a spec may hold. All is far above what any real one does; it keeps planning short, and sums
//! from overflowing.

use super::{Path, PerGroup, Phase, Pipeline, Problem, Problems, Schedule};
use crate::regularize::{ClassWeights, Oversample};

/// The most epochs of a phase.
pub const EPOCHS: usize = 1_000_000;

/// The most layers of a list.
pub const LAYERS: usize = 2000;

/// The most layers that are put into a backbone.
pub const CHANGES: usize = 200;

/// The most names in a list, or keys in a map of groups.
const NAMES: usize = 250;

/// The most stages that a shorthand is written out for. Some mean a phase for each, in which all before it
/// are named.
pub const STAGES: usize = 100;

/// The most keys in a map of classes.
const CLASSES: usize = 2000;

/// The most phases.
pub const PHASES: usize = 500;

/// The most names and keys of all phases together.
const ALL_NAMES: usize = 2500;

/// Notes what holds more than it may. What a plan would be made of is then not to be looked at.
pub fn check(spec: &Pipeline, problems: &mut Problems) {
    let listed = |layers: Option<usize>| layers.unwrap_or_default();
    for (key, layers) in [
        ("layers", listed(spec.layers.as_ref().map(Vec::len))),
        ("head", spec.listed_head().len()),
        ("decoder", listed(spec.decoder.as_ref().map(Vec::len))),
    ] {
        most(problems, &Path::of(key), layers, LAYERS, "layers");
    }
    if let Some(backbone) = &spec.backbone {
        let at = Path::of("backbone");
        most(problems, &at.key("insert"), backbone.inserts(&at).len(), CHANGES, "layers to insert");
        most(problems, &at.key("replace"), backbone.replace.len(), CHANGES, "layers to replace");
        for (key, names) in [
            ("missing", &backbone.allow.missing),
            ("unexpected", &backbone.allow.unexpected),
            ("shape", &backbone.allow.shape),
        ] {
            most(problems, &at.key("allow").key(key), names.len(), NAMES, "names");
        }
    }
    let only = spec.regularization.max_norm.as_ref().and_then(|max_norm| max_norm.only.as_ref());
    most(problems, &Path::of("regularization.max_norm.only"), listed(only.map(Vec::len)), NAMES, "names");
    let weighted = match &spec.regularization.class_weights {
        Some(ClassWeights::ByClass(weights)) => weights.len(),
        _ => 0,
    };
    most(problems, &Path::of("regularization.class_weights"), weighted, CLASSES, "classes");
    let oversampled = match &spec.data.oversample {
        Some(Oversample::ByClass(factors)) => factors.len(),
        _ => 0,
    };
    most(problems, &Path::of("data.oversample"), oversampled, CLASSES, "classes");
    schedule(&spec.schedule, problems);
}

fn schedule(schedule: &Schedule, problems: &mut Problems) {
    let at = Path::of("schedule");
    let stages = [
        ("gradual_unfreeze", schedule.gradual_unfreeze.as_ref().and_then(|gradual| gradual.stages.as_ref())),
        ("progressive_freezing", schedule.progressive_freezing.as_ref().and_then(|freezing| freezing.stages.as_ref())),
        ("layerwise", schedule.layerwise.as_ref().and_then(|layerwise| layerwise.stages.as_ref())),
    ];
    for (key, stages) in stages {
        most(problems, &at.key(key).key("stages"), stages.map(Vec::len).unwrap_or_default(), STAGES, "stages");
    }
    let joining = schedule.unfreeze_at.as_ref().map(|joining| joining.0.len());
    most(problems, &at.key("unfreeze_at"), joining.unwrap_or_default(), STAGES, "stages");
    let Some(phases) = &schedule.phases else { return };
    let at = at.key("phases");
    most(problems, &at, phases.len(), PHASES, "phases");
    let mut all = 0;
    for (place, phase) in phases.iter().enumerate() {
        for (key, names) in names(phase) {
            most(problems, &at.index(place).key(key), names, NAMES, "names");
            all += names;
        }
    }
    most(problems, &at, all, ALL_NAMES, "names of groups in all phases");
}

/// How many names and keys the settings of a phase have.
fn names(phase: &Phase) -> [(&'static str, usize); 4] {
    fn keys<T>(setting: Option<&PerGroup<T>>) -> usize {
        setting.map(|setting| setting.names().count()).unwrap_or_default()
    }
    let rates = match &phase.lr {
        super::LearningRate::Groups(rates) => Some(rates),
        _ => None,
    };
    [
        ("train", phase.train.len()),
        ("lr", keys(rates)),
        ("batch_norm", keys(phase.batch_norm.as_ref())),
        ("weight_decay", keys(phase.weight_decay.as_ref())),
    ]
}

fn most(problems: &mut Problems, at: &Path, count: usize, most: usize, what: &str) {
    if count > most {
        problems.push(Problem::new(at.clone(), format!("there may be {most} {what} at most, found {count}")).at_key());
    }
}

/// Notes a number of epochs that cannot be.
pub fn epochs(problems: &mut Problems, at: Path, count: usize) {
    super::check::range(problems, at.clone(), &count, 1.., "the number of epochs");
    super::check::range(problems, at, &count, ..=EPOCHS, "the number of epochs");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::load_text;

    /// The problems of a spec with a line more.
    fn problems(line: &str) -> Vec<String> {
        let text = format!(
            "name: a\ndata: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 32 }} }}\n\
             backbone: {{ arch: resnet18 }}\n{line}"
        );
        let spec = load_text("spec.yaml", &text, std::path::Path::new(""), &[]).unwrap().pipeline;
        let mut problems = Problems::default();
        check(&spec, &mut problems);
        problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn what_is_too_much_is_told_and_no_more() {
        let list = |begin: &str, entry: &str, times: usize| format!("{begin} [{}]\n", vec![entry; times].join(", "));
        assert_eq!(problems(&list("head:", "relu: {}", LAYERS)), [""; 0]);
        assert_eq!(
            problems(&list("head:", "relu: {}", LAYERS + 1)),
            ["head: there may be 2000 layers at most, found 2001"]
        );
        let stages = list("schedule: { gradual_unfreeze: { every: 1, lr: 1, stages:", "x", STAGES + 1);
        assert_eq!(
            problems(&(stages.trim_end().to_owned() + "} }")),
            ["schedule.gradual_unfreeze.stages: there may be 100 stages at most, found 101"]
        );
        let names = list("schedule: { phases: [{ name: a, epochs: 1, lr: 1, train:", "x", NAMES + 1);
        assert_eq!(
            problems(&(names.trim_end().to_owned() + "}] }")),
            ["schedule.phases.0.train: there may be 250 names at most, found 251"]
        );
        let phase = list("{ name: a, epochs: 1, lr: 1, train:", "x", 6).trim_end().to_owned() + "}";
        let phases = list("schedule: { phases:", &phase, PHASES).trim_end().to_owned() + " }";
        assert_eq!(
            problems(&phases),
            ["schedule.phases: there may be 2500 names of groups in all phases at most, found 3000"]
        );
    }

    #[test]
    fn epochs_have_a_most() {
        let told = |count| {
            let mut problems = Problems::default();
            epochs(&mut problems, Path::default(), count);
            problems.0.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert_eq!(told(0), ["the number of epochs must be at least 1, found 0"]);
        assert_eq!(told(EPOCHS), [""; 0]);
        assert_eq!(told(usize::MAX), [format!("the number of epochs must be at most 1000000, found {}", usize::MAX)]);
    }
}
