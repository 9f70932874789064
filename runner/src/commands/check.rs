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

/// `3 phases, 10 epochs, 2,212,419 of 3,375,875 parameters train`, or `a head of 3,843 of 3,374,851
/// parameters is fitted`, or both.
fn summary(plan: &Plan) -> String {
    let parameters: usize = (0..plan.graph.stages.len()).map(|stage| plan.graph.param_count(stage)).sum();
    let Some(head) = &plan.fitted else { return phases(plan, parameters) };
    let fitted: usize = [head.weight, head.bias].iter().map(|&param| plan.graph.params[param].def.count()).sum();
    let fitted = format!("a head of {} of {} parameters is fitted", grouped(fitted), grouped(parameters));
    if plan.phases.is_empty() { fitted } else { format!("{fitted}, then {}", phases(plan, parameters)) }
}

fn phases(plan: &Plan, parameters: usize) -> String {
    let phases = plan.phases.len();
    let epochs = plan.epochs();
    let trainable = plan.phases.iter().map(|phase| phase.trainable_values(&plan.graph)).max().unwrap_or_default();
    let trains = if trainable == parameters { "all".to_owned() } else { format!("{} of", grouped(trainable)) };
    let (p, e) = (s(phases), s(epochs));
    format!("{phases} phase{p}, {epochs} epoch{e}, {trains} {} parameters train", grouped(parameters))
}

fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
