//! The specs that a run took up, kept in its directory.

use super::RunDir;
use crate::hex::short;
use crate::plan::Plan;
use crate::spec::{Loaded, Pipeline, PluginSource, resolved};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

/// The file that names where the spec came from.
const ORIGIN: &str = "origin.json";

/// Where a run's spec came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The spec's file.
    pub spec: PathBuf,
    /// Values in place of the spec's, as `schedule.phases.0.epochs=1`.
    pub sets: Vec<String>,
    /// What data the run uses, for a person: by the path that the spec has, where what is kept has an absolute
    /// one.
    pub data: String,
}

impl Origin {
    /// Keeps it in a run directory.
    pub fn write(&self, dir: &RunDir) -> io::Result<()> {
        dir.write(ORIGIN, &serde_json::to_vec_pretty(self)?)
    }

    /// How the spec is run, for a person.
    pub fn command(&self) -> String {
        format!("runner {}", self.spec.display())
    }

    /// That of a run; none where it cannot be told.
    pub fn read(dir: &RunDir) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.file(ORIGIN)).ok()?).ok()
    }
}

/// The name of the spec with this number, as it was saved.
pub fn name(number: usize) -> String {
    format!("specs/{number:04}.yaml")
}

/// The name of the spec with this number, as it was understood.
pub fn resolved_name(number: usize) -> String {
    format!("specs/{number:04}.resolved.yaml")
}

/// The number of the spec with which a run begins.
pub const FIRST: usize = 1;

/// Keeps what a run begins with. From then on it is a run that can go on.
pub fn begin(dir: &RunDir, loaded: &Loaded, plan: &Plan, origin: Option<&Origin>) -> io::Result<()> {
    dir.write("spec.yaml", loaded.text.as_bytes())?;
    keep(dir, FIRST, loaded, plan)?;
    if let Some(origin) = origin {
        origin.write(dir)?;
    }
    put_in_effect(dir, FIRST)
}

/// Keeps a spec under a number, and its plugins: as it was saved, and as it was understood.
pub fn keep(dir: &RunDir, number: usize, loaded: &Loaded, plan: &Plan) -> io::Result<()> {
    fs::create_dir_all(dir.file("specs"))?;
    dir.write(&name(number), loaded.text.as_bytes())?;
    let mut pipeline = resolved::absolute(&loaded.pipeline, &loaded.dir);
    pipeline.plugins.load = keep_plugins(dir, plan)?;
    keep_run(&mut pipeline, plan)?;
    let resolved = resolved::to_yaml(&pipeline).map_err(io::Error::other)?;
    dir.write(&resolved_name(number), resolved.as_bytes())
}

/// Makes a spec that is kept the one that the run's weights are of: `resolved.yaml`.
pub fn put_in_effect(dir: &RunDir, number: usize) -> io::Result<()> {
    dir.write("resolved.yaml", &fs::read(dir.file(&resolved_name(number)))?)
}

/// Names the run that weights were taken from by its directory, since a name means another one later.
fn keep_run(pipeline: &mut Pipeline, plan: &Plan) -> io::Result<()> {
    let Some(run) = plan.weights.as_ref().and_then(|report| report.run.as_ref()) else { return Ok(()) };
    for weights in resolved::weights_mut(pipeline) {
        if let (_, Some(named)) = weights.paths_mut() {
            *named = std::path::absolute(run)?;
        }
    }
    Ok(())
}

/// Keeps the plugins as they are now, so that the run can be used when they have changed; gives them
/// as `resolved.yaml` names them.
fn keep_plugins(dir: &RunDir, plan: &Plan) -> io::Result<Vec<PluginSource>> {
    let mut kept = Vec::with_capacity(plan.plugins.len());
    if !plan.plugins.is_empty() {
        fs::create_dir_all(dir.file("plugins"))?;
    }
    for plugin in &plan.plugins {
        let digits = short(&plugin.sha256);
        let name = plugin.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        let path = format!("plugins/{name}-{digits}.{}", std::env::consts::DLL_EXTENSION);
        if !dir.file(&path).is_file() {
            dir.write(&path, &fs::read(&plugin.file)?)?;
        }
        kept.push(PluginSource { path: path.into(), sha256: Some(plugin.sha256.clone()) });
    }
    Ok(kept)
}
