//! `runner plan`: what a spec would do, without doing it.

use super::CommandError;
use crate::plan::Plan;
use crate::report::PlanReport;
use crate::spec::{self, Loaded, Override, SpecError};
use std::io::{self, Write};
use std::path::Path;

/// Prints the plan of a spec, for a person or as JSON. `sets` are values in place of the spec's, as
/// `schedule.phases.0.epochs=1`.
pub fn run(spec: &Path, sets: &[String], json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let (_, plan) = load(spec, sets)?;
    let report = PlanReport::of(&plan);
    if json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(out.flush()?)
}

/// Reads a spec and plans it.
pub fn load(spec: &Path, sets: &[String]) -> Result<(Loaded, Plan), SpecError> {
    let overrides: Vec<Override> = sets.iter().cloned().map(Override).collect();
    let loaded = spec::load(spec, &overrides)?;
    match Plan::new(&loaded.pipeline, &loaded.dir) {
        Ok(plan) => Ok((loaded, plan)),
        Err(problems) => Err(loaded.error(&problems)),
    }
}
