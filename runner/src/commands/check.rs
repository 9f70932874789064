//! `runner check`: whether a spec can be used.

use super::CommandError;
use super::plan::load;
use crate::plan::Plan;
use crate::report::number::grouped;
use std::io::Write;
use std::path::Path;

/// Says that a spec is fine and what it is, or gives all that is wrong with it. `sets` are values in
/// place of the spec's.
pub fn run(spec: &Path, sets: &[String], out: &mut impl Write) -> Result<(), CommandError> {
    let (_, plan) = load(spec, sets)?;
    writeln!(out, "{} is fine: {}", spec.display(), summary(&plan))?;
    for warning in &plan.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(out.flush()?)
}

/// `3 phases, 10 epochs, 2,212,419 of 3,375,875 parameters train`
fn summary(plan: &Plan) -> String {
    let phases = plan.phases.len();
    let epochs = plan.epochs();
    let parameters: usize = (0..plan.graph.stages.len()).map(|stage| plan.graph.param_count(stage)).sum();
    let trainable = plan.phases.iter().map(|phase| phase.trainable_values(&plan.graph)).max().unwrap_or_default();
    let trains = if trainable == parameters { "all".to_owned() } else { format!("{} of", grouped(trainable)) };
    let (p, e) = (s(phases), s(epochs));
    format!("{phases} phase{p}, {epochs} epoch{e}, {trains} {} parameters train", grouped(parameters))
}

fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
