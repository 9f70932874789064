//! Holds the spec's weights against the net, when planning: the table of contents of their file only.

use super::runs;
use crate::net::{Graph, ParamId};
use crate::spec::{Allow, Path, Pipeline, Problem, Problems, Task, Weights};
use crate::weights::take::{ENCODER, as_backbone};
use crate::weights::{LoadReport, Take, report};
use std::path::{Path as FilePath, PathBuf};

/// The stage that files lack.
const HEAD: &str = "head";

/// What the spec's weights have for the net; `None` where the spec names none. `dir` is the spec's
/// folder.
///
/// A file or run that is not there or cannot be read, and gaps that the spec does not allow, are
/// problems at `backbone.weights`, or at `weights` where the net is written in the spec.
pub fn hold(spec: &Pipeline, graph: &Graph, dir: &FilePath, problems: &mut Problems) -> Option<LoadReport> {
    let (weights, at) = given(spec)?;
    if problems.0.iter().any(|problem| problem.path.0.starts_with(&at.0)) {
        return None;
    }
    let (file, run) = match place(weights, dir) {
        Ok(found) => found,
        Err((message, help)) => {
            let at = if weights.map().is_some_and(|map| map.run.is_some()) { at.key("run") } else { at };
            problems.push(Problem::new(at, message).help(help));
            return None;
        }
    };
    let arch = spec.backbone.as_ref().map(|backbone| backbone.arch);
    let allow = weights.allow().and(spec.backbone.as_ref().map_or_else(Allow::default, |own| own.allow.clone()));
    let seen = if spec.task == Task::Reconstruct { seen_by_files(spec, graph) } else { graph.clone() };
    match report::report_of(&file, &seen, arch, &allow, &take(spec, weights)) {
        Ok(report) => {
            for gap in &report.refused {
                problems.push(Problem::new(at.clone(), gap.clone()));
            }
            Some(LoadReport { run, ..report })
        }
        Err(error) => {
            problems.push(Problem::new(at, error.to_string()));
            None
        }
    }
}

/// The weights that a spec names, and where.
fn given(spec: &Pipeline) -> Option<(&Weights, Path)> {
    match &spec.backbone {
        Some(backbone) => Some((backbone.weights.as_ref()?, Path::of("backbone.weights"))),
        None => Some((spec.weights.as_ref()?, Path::of("weights"))),
    }
}

/// The file, and the directory of the run that it is of. Else why there is none, and what to do.
fn place(weights: &Weights, dir: &FilePath) -> Result<(PathBuf, Option<PathBuf>), (String, &'static str)> {
    let file = match weights {
        Weights::File(file) => dir.join(file),
        Weights::Map(map) => match (&map.run, &map.file) {
            (Some(run), _) => {
                let help =
                    "train that pipeline first; `run` is a run directory, relative to the spec, or a pipeline's name";
                let found = runs::find(run, dir, map.checkpoint).map_err(|message| (message, help))?;
                return Ok((found.1, Some(found.0)));
            }
            (None, file) => dir.join(file.as_deref().unwrap_or(FilePath::new(""))),
        },
    };
    let help = "the path is relative to the spec's folder; without `weights` the net starts from random ones";
    if file.exists() { Ok((file, None)) } else { Err((format!("there is no file {}", file.display()), help)) }
}

/// Which tensors are taken, and how they are called.
fn take(spec: &Pipeline, weights: &Weights) -> Take {
    let reconstructs = spec.task == Task::Reconstruct;
    let onto = match (&spec.backbone, reconstructs) {
        (Some(_), _) => "",
        (None, true) => ENCODER,
        (None, false) => "layers.",
    };
    Take {
        prefix: weights.prefix().map(str::to_owned),
        onto,
        within: if reconstructs && spec.backbone.is_some() { ENCODER } else { "" },
        adapt: spec.backbone.as_ref().map(|backbone| backbone.input.adapt),
        checkpoint: weights.map().is_some_and(|map| map.run.is_some()),
    }
}

/// An autoencoder as files see it: its decoder is yours, as a head is, and may be missing.
fn seen_by_files(spec: &Pipeline, graph: &Graph) -> Graph {
    if spec.backbone.is_some() {
        return as_backbone(graph, HEAD);
    }
    let mut seen = graph.clone();
    for stage in seen.stages.iter_mut().filter(|stage| !stage.name.starts_with(ENCODER)) {
        HEAD.clone_into(&mut stage.name);
    }
    seen
}

/// By parameter: whether it starts from random values, for no file gives it any.
pub fn random(graph: &Graph, report: Option<&LoadReport>) -> Vec<bool> {
    let mut random = vec![true; graph.params.len()];
    let matched: &[(ParamId, String)] = report.map_or(&[], |report| &report.matched);
    for &(param, _) in matched {
        random[param] = false;
    }
    random
}
