//! `task:` in a spec: what the net is for, and what goes with it.

use super::{Path, Pipeline, Problem, Problems};
use crate::optim::Scheduler;
use crate::regularize::Metric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the net is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// It says which class an image is of.
    #[default]
    Classify,
    /// It gives back the image that it gets: an autoencoder. `layers` or `backbone` is the encoder,
    /// `decoder` follows it, and no label is looked at.
    Reconstruct,
}

impl Task {
    /// Whether it is the one that specs need not name.
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    pub fn is_default(&self) -> bool {
        *self == Task::default()
    }
}

/// Notes what does not go with the spec's task.
pub fn check(spec: &Pipeline, problems: &mut Problems) {
    match spec.task {
        Task::Classify => {
            if spec.decoder.is_some() {
                let problem = Problem::new(Path::of("decoder"), "a net that classifies has no decoder").at_key();
                problems.push(problem.help("write `task: reconstruct`, or leave the decoder out"));
            }
        }
        Task::Reconstruct => {
            parts(spec, problems);
            classes(spec, problems);
            pieces(spec, problems);
            metrics(spec, problems);
        }
    }
}

/// The net is an encoder and a decoder.
fn parts(spec: &Pipeline, problems: &mut Problems) {
    if spec.head.is_some() {
        let problem = Problem::new(Path::of("head"), "a net that reconstructs has no head").at_key();
        problems.push(problem.help("what follows the encoder is its `decoder`, a list of layers like this one"));
    }
    let decoder = Path::of("decoder");
    match &spec.decoder {
        None => problems.push(
            Problem::new(Path::of("task"), "a net that reconstructs needs a `decoder`")
                .help("`decoder:` is a list of layers that leads back to an image: `upsample`, `conv2d`, ..."),
        ),
        Some(layers) if layers.is_empty() => {
            problems.push(Problem::new(decoder, "a decoder needs at least one layer"));
        }
        Some(_) => {}
    }
}

/// Settings about classes.
fn classes(spec: &Pipeline, problems: &mut Problems) {
    let (at, data) = (Path::of("regularization"), Path::of("data"));
    let help = "leave it out: `task: reconstruct` looks at no label";
    let mut refuse = |at: &Path, key: &str, given: bool| {
        if given {
            let message = format!("`{key}` is about classes, and this net has none");
            problems.push(Problem::new(at.key(key), message).at_key().help(help));
        }
    };
    refuse(&at, "label_smoothing", spec.regularization.label_smoothing != 0.0);
    refuse(&at, "class_weights", spec.regularization.class_weights.is_some());
    refuse(&at, "focal_loss", spec.regularization.focal_loss.is_some());
    refuse(&Path::of("augmentation"), "features", !spec.augmentation.features.is_empty());
    refuse(&data, "oversample", spec.data.oversample.is_some());
    refuse(&Path::of("schedule"), "layerwise", spec.schedule.layerwise.is_some());
    if spec.augmentation.test.is_some() {
        let message = "`test` averages the probabilities of classes, and this net has none";
        problems.push(Problem::new(Path::of("augmentation").key("test"), message).at_key().help(help));
    }
}

/// Batches are not computed in pieces: the error of a piece would have to count by its size.
fn pieces(spec: &Pipeline, problems: &mut Problems) {
    let given = [
        (Path::of("data").key("micro_batch"), spec.data.micro_batch.is_some()),
        (Path::of("memory_budget"), spec.memory_budget.is_some()),
    ];
    for (at, _) in given.into_iter().filter(|(_, given)| *given) {
        let message = "a net that reconstructs computes its batches whole";
        problems.push(Problem::new(at, message).at_key().help("leave it out, and make `data.batch` smaller"));
    }
}

/// Every metric that the spec watches is one that there is without classes.
fn metrics(spec: &Pipeline, problems: &mut Problems) {
    let mut watched: Vec<(Path, Metric)> = Vec::new();
    if let Some(rule) = &spec.regularization.early_stopping {
        watched.push((Path::of("regularization.early_stopping.metric"), rule.metric));
    }
    let schedule = Path::of("schedule");
    let mut of_scheduler = |at: Path, scheduler: Option<&Scheduler>| {
        if let Some(Scheduler::ReduceOnPlateau(rule)) = scheduler {
            watched.push((at.key("reduce_on_plateau").key("metric"), rule.metric));
        }
    };
    of_scheduler(schedule.key("scheduler"), spec.schedule.scheduler.as_ref());
    for (place, phase) in spec.schedule.phases.iter().flatten().enumerate() {
        let at = schedule.key("phases").index(place);
        of_scheduler(at.key("scheduler"), phase.scheduler.as_ref());
    }
    for (place, phase) in spec.schedule.phases.iter().flatten().enumerate() {
        let at = schedule.key("phases").index(place).key("until");
        let Some(until) = &phase.until else { continue };
        watched.extend(until.metric.map(|metric| (at.key("metric"), metric)));
        watched.extend(until.plateau.as_ref().map(|plateau| (at.key("plateau").key("metric"), plateau.metric)));
    }
    for (at, metric) in watched.into_iter().filter(|(_, metric)| metric.needs_classes()) {
        let message = format!("there is no `{}` where nothing is classified", metric.name());
        problems.push(Problem::new(at, message).help("`task: reconstruct` has `val_loss` and `train_loss`"));
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::{self, Override, load_text};
    use std::path::Path;

    const SPEC: &str = r#"
name: autoencoder
task: reconstruct
data: { source: { synthetic: blood_cells }, image: { size: 8 } }
layers: [{ conv2d: { out: 4, kernel: 2, stride: 2 } }]
decoder: [{ conv_transpose2d: { out: 3, kernel: 2, stride: 2 } }]
schedule: { phases: [{ name: all, epochs: 1, train: ["*"], lr: 1e-3 }] }
"#;

    fn problems(sets: &[&str]) -> Vec<(String, String)> {
        let sets: Vec<Override> = sets.iter().map(|set| Override((*set).to_owned())).collect();
        let loaded = load_text("spec.yaml", SPEC, Path::new(""), &sets).unwrap();
        let problems = spec::check(&loaded.pipeline).0;
        problems.into_iter().map(|problem| (problem.path.to_string(), problem.message)).collect()
    }

    #[test]
    fn an_autoencoder_is_an_encoder_and_a_decoder() {
        assert_eq!(problems(&[]), []);
        for (set, path) in [
            ("task=classify", "decoder"),
            ("decoder=null", "task"),
            ("decoder=[]", "decoder"),
            ("head=[relu]", "head"),
            ("regularization.label_smoothing=0.1", "regularization.label_smoothing"),
            ("regularization.class_weights=balanced", "regularization.class_weights"),
        ] {
            let found = problems(&[set]);
            assert_eq!(found.len(), 1, "{set}: {found:?}");
            assert_eq!(found[0].0, path, "{set}");
        }
    }

    #[test]
    fn channels_said_elsewhere_are_shown_where_they_are_said() {
        for (set, key) in [
            ("input={ channels: 1, adapt: sum }", "input"),
            ("backbone={ arch: resnet18, input: { channels: 1 } }", "channels"),
        ] {
            let error = load_text("spec.yaml", SPEC, Path::new(""), &[Override(set.to_owned())]).unwrap_err();
            let text = error.render(false);
            assert!(text.contains(&format!("unknown key `{key}`")), "{text}");
            assert!(text.contains("the number of channels is `data.image.channels`"), "{text}");
        }
    }

    #[test]
    fn metrics_of_classes_are_refused_where_they_are_watched() {
        for (set, path) in [
            (
                "regularization.early_stopping={ metric: val_accuracy, patience: 2 }",
                "regularization.early_stopping.metric",
            ),
            ("schedule.phases.0.until={ metric: val_auc, above: 0.9 }", "schedule.phases.0.until.metric"),
            (
                "schedule.phases.0.until={ plateau: { metric: val_accuracy, patience: 1 } }",
                "schedule.phases.0.until.plateau.metric",
            ),
            (
                "schedule.scheduler={ reduce_on_plateau: { metric: val_balanced_accuracy } }",
                "schedule.scheduler.reduce_on_plateau.metric",
            ),
            (
                "schedule.phases.0.scheduler={ reduce_on_plateau: { metric: val_accuracy } }",
                "schedule.phases.0.scheduler.reduce_on_plateau.metric",
            ),
        ] {
            let found = problems(&[set]);
            assert_eq!(found.len(), 1, "{set}: {found:?}");
            assert_eq!(found[0].0, path, "{set}");
            assert!(found[0].1.contains("where nothing is classified"), "{found:?}");
        }
        assert_eq!(problems(&["regularization.early_stopping={ metric: val_loss, patience: 2 }"]), []);
    }
}
