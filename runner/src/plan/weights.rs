//! Holds the spec's weight file against the net, when planning: its table of contents only.

use crate::net::{Graph, ParamId};
use crate::spec::{Path, Pipeline, Problem, Problems};
use crate::weights::{LoadReport, report};
use std::path::Path as FilePath;

/// What the spec's weight file has for the net; `None` where the spec names no file. `dir` is the
/// spec's folder.
///
/// A file that is not there or cannot be read, and gaps that the spec does not allow, are problems
/// at `backbone.weights`.
pub fn hold(spec: &Pipeline, graph: &Graph, dir: &FilePath, problems: &mut Problems) -> Option<LoadReport> {
    let backbone = spec.backbone.as_ref()?;
    let file = dir.join(backbone.weights.as_ref()?);
    let at = Path::of("backbone.weights");
    if !file.exists() {
        let help = "the path is relative to the spec's folder; without `weights` the net starts from random ones";
        problems.push(Problem::new(at, format!("there is no file {}", file.display())).help(help));
        return None;
    }
    match report::report(&file, graph, Some(backbone.arch), &backbone.allow) {
        Ok(report) => {
            for gap in &report.refused {
                problems.push(Problem::new(at.clone(), gap.clone()));
            }
            Some(report)
        }
        Err(error) => {
            problems.push(Problem::new(at, error.to_string()));
            None
        }
    }
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
