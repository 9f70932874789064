//! `runner run SPEC`.

use super::CommandError;
use crate::data::{self, BadImage, Dataset};
use crate::engine::Kernels;
use crate::engine::device::{DeviceTask, keep_nothing, with_device};
use crate::net::Net;
use crate::plan::Plan;
use crate::report::Console;
use crate::spec::{Loaded, Pipeline, PluginSource, resolved};
use crate::train::run::{Job, Outcome, train};
use crate::train::start::Start;
use crate::train::{RunDir, StopFlag, TrainError};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `runner run`: those of [`super::SpecArgs`] and its own. They stand here once more since clap
/// takes an optional group for absent where all that is given lies in a group within it.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The pipeline, a YAML file.
    spec: PathBuf,
    /// Override a value of the spec: `--set schedule.phases.0.epochs=1`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
    /// Where to keep the run; by default `runs/NAME/DATE-TIME-xxxx`.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
}

/// Trains as a pipeline says.
pub fn run(args: &RunArgs) -> Result<ExitCode, CommandError> {
    let (loaded, plan) = super::plan::load(&args.spec, &args.sets)?;
    for warning in &plan.warnings {
        eprintln!("{} {warning}", console::style("warning:").for_stderr().yellow().bold());
    }
    let stop = stop_on_interrupt();
    let split = &plan.spec.data.split;
    let (path, outcome) = if let (Some(folds), None) = (split.folds, split.fold) {
        let path = args.run_dir.clone().map_or_else(|| RunDir::free(&plan.spec.name), Ok)?;
        (path.clone(), super::folds::run(loaded, folds, &path, &stop)?)
    } else {
        let (data, bad) = open_data(&plan, &loaded.dir)?;
        let dir = run_dir(args, &plan)?;
        (dir.last(), one(&loaded, &plan, data, bad, &dir, stop)?)
    };
    match outcome {
        Outcome::Finished => Ok(ExitCode::SUCCESS),
        Outcome::Interrupted => {
            eprintln!("interrupted; the position is saved in {}", path.display());
            Ok(ExitCode::from(130))
        }
    }
}

/// Trains one net, in a run directory that is there.
pub fn one(
    loaded: &Loaded,
    plan: &Plan,
    data: Dataset,
    bad: Vec<BadImage>,
    dir: &RunDir,
    stop: StopFlag,
) -> Result<Outcome, CommandError> {
    keep_spec(dir, loaded, plan)?;
    let task = Train { plan, data, bad, dir, stop };
    Ok(with_device(plan.spec.device, task)??)
}

/// Opens the data and leaves out what cannot be read.
pub fn open_data(plan: &Plan, spec_dir: &Path) -> Result<(Dataset, Vec<BadImage>), CommandError> {
    let spec = &plan.spec;
    let data = data::open(&spec.data, spec_dir, spec.seed)?;
    let bad = data::check::scan(&data, spec.data.workers());
    let data = data::check::leave_out(data, &bad, &spec.data)?;
    Ok((data, bad))
}

fn run_dir(args: &RunArgs, plan: &Plan) -> Result<RunDir, CommandError> {
    match &args.run_dir {
        Some(path) => given_run_dir(path.clone()),
        None => Ok(RunDir::create(&plan.spec.name)?),
    }
}

/// A run directory at a path that the user gave.
pub fn given_run_dir(path: PathBuf) -> Result<RunDir, CommandError> {
    let shown = path.display().to_string();
    RunDir::at(path).map_err(|error| CommandError::Arguments(format!("--run-dir {shown}: {error}")))
}

/// Keeps the spec as given, and as it was understood.
fn keep_spec(dir: &RunDir, loaded: &Loaded, plan: &Plan) -> Result<(), CommandError> {
    dir.write("spec.yaml", loaded.text.as_bytes())?;
    let mut pipeline = resolved::absolute(&loaded.pipeline, &loaded.dir);
    pipeline.plugins.load = keep_plugins(dir, plan)?;
    keep_run(&mut pipeline, plan)?;
    let resolved = resolved::to_yaml(&pipeline).map_err(std::io::Error::other)?;
    dir.write("resolved.yaml", resolved.as_bytes())?;
    Ok(())
}

/// Names the run that weights were taken from by its directory, since a name means another one later.
fn keep_run(pipeline: &mut Pipeline, plan: &Plan) -> Result<(), CommandError> {
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
fn keep_plugins(dir: &RunDir, plan: &Plan) -> Result<Vec<PluginSource>, CommandError> {
    let mut kept = Vec::with_capacity(plan.plugins.len());
    if !plan.plugins.is_empty() {
        std::fs::create_dir_all(dir.file("plugins"))?;
    }
    for plugin in &plan.plugins {
        let digits: String = plugin.sha256.chars().take(12).collect();
        let name = plugin.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        let path = format!("plugins/{name}-{digits}.{}", std::env::consts::DLL_EXTENSION);
        dir.write(&path, &std::fs::read(&plugin.file)?)?;
        kept.push(PluginSource { path: path.into(), sha256: Some(plugin.sha256.clone()) });
    }
    Ok(kept)
}

/// The first Ctrl-C lets the step finish and the position be saved; the second ends the program.
pub fn stop_on_interrupt() -> StopFlag {
    let stop = StopFlag::default();
    let raised = stop.clone();
    let handler = move || {
        if raised.raise() {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this step; Ctrl-C again to stop at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl-C will stop the run at once: {error}");
    }
    stop
}

struct Train<'a> {
    plan: &'a Plan,
    data: Dataset,
    bad: Vec<BadImage>,
    dir: &'a RunDir,
    stop: StopFlag,
}

impl DeviceTask for Train<'_> {
    type Output = Result<Outcome, TrainError>;

    fn run<D: Kernels>(self, device: D) -> Self::Output {
        if self.plan.spec.memory_budget.is_some() {
            keep_nothing(&device)?;
        }
        let start = Start::of(self.plan)?;
        start.ledger.write(self.dir)?;
        let net = Net { graph: self.plan.graph.clone(), params: start.params(&device, &self.plan.graph)? };
        let job = Job {
            plan: self.plan,
            data: self.data,
            bad: self.bad,
            dir: self.dir,
            stop: self.stop,
            workers: self.plan.spec.data.workers(),
        };
        train(&device, net, job, start.told, &mut Console::new(self.plan.epochs()))
    }
}
