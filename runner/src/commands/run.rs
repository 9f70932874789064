//! `runner run SPEC`.

use super::CommandError;
use super::on_device::on_own_device;
use crate::cache;
use crate::data::cache::Leads;
use crate::data::check::{self, Known, forget};
use crate::data::{self, BadImage, Dataset};
use crate::engine::Kernels;
use crate::engine::device::{DeviceTask, keep_nothing};
use crate::net::Net;
use crate::plan::Plan;
use crate::plan::runs::is_run;
use crate::ranks::Ranks;
use crate::report::Console;
use crate::spec::{Loaded, resolved};
use crate::train::lock::{LockError, RunLock};
use crate::train::observer::{Observer, Silent};
use crate::train::reload::saves::Followed;
use crate::train::reload::{Follow, How, Nothing, Prepared, Saves, Told};
use crate::train::run::{Checkpoint, Job, Outcome, resume, train, workers};
use crate::train::specs::{self, FIRST, Origin};
use crate::train::start::Start;
use crate::train::{RunDir, StopFlag, TrainError};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Arguments of `runner run`: those of [`super::SpecArgs`], of [`WatchArgs`] and its own. They stand here once
/// more since clap takes an optional group for absent where all that is given lies in a group within it.
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
    /// Go on with the run in `--run-dir`, or with the latest of this name that is not finished; where there
    /// is none, begin one.
    #[arg(long)]
    resume: bool,
    /// Take up what is saved into the spec while the run goes on; `--watch poll` looks every second, for network
    /// file systems. On a terminal that is so unless told otherwise.
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "events", conflicts_with = "no_watch")]
    watch: Option<WatchHow>,
    /// Do not look at the spec again once the run has begun.
    #[arg(long)]
    no_watch: bool,
}

impl RunArgs {
    fn watch(&self) -> WatchArgs {
        WatchArgs { watch: self.watch, no_watch: self.no_watch }
    }
}

/// Whether a run follows its spec.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Take up what is saved into the spec while the run goes on; `--watch poll` looks every second, for network
    /// file systems. On a terminal that is so unless told otherwise.
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "events", conflicts_with = "no_watch")]
    watch: Option<WatchHow>,
    /// Do not look at the spec again once the run has begun.
    #[arg(long)]
    no_watch: bool,
}

/// How saves are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WatchHow {
    /// The system tells.
    Events,
    /// The file is read every second.
    Poll,
}

impl WatchArgs {
    /// How the spec is watched, if it is.
    pub fn how(&self) -> Option<How> {
        match self.watch {
            Some(WatchHow::Events) => Some(How::Events),
            Some(WatchHow::Poll) => Some(How::Poll(Duration::from_secs(1))),
            None if !self.no_watch && console::user_attended() => Some(How::Events),
            None => None,
        }
    }
}

/// Trains as a pipeline says.
pub fn run(args: &RunArgs, ranks: &Ranks) -> Result<ExitCode, CommandError> {
    let (loaded, plan) =
        ranks.first_then_others(|| Ok::<_, CommandError>(super::plan::load(&args.spec, &args.sets)?))?;
    let unfinished = || super::resume::unfinished(&plan.spec.name, args.run_dir.as_deref());
    if args.resume
        && let Some(dir) = ranks.tell(unfinished)?
    {
        return super::resume::run(&dir, &args.watch(), ranks);
    }
    for warning in plan.warnings.iter().filter(|_| ranks.is_first()) {
        eprintln!("{} {warning}", console::style("warning:").for_stderr().yellow().bold());
    }
    let stop = stop_on_interrupt(ranks);
    let origin = Origin { spec: std::path::absolute(&args.spec)?, sets: args.sets.clone(), data: String::new() };
    let split = &plan.spec.data.split;
    let (path, outcome) = if let (Some(folds), None) = (split.folds, split.fold) {
        if ranks.are_several() {
            return Err(CommandError::Arguments(FOLDS_OF_RANKS.to_owned()));
        }
        let path = args.run_dir.clone().map_or_else(|| RunDir::free(&plan.spec.name), Ok)?;
        (path.clone(), super::folds::run(loaded, folds, &path, &stop, &origin)?)
    } else {
        let (data, bad) = open_data(&plan, &loaded.dir, ranks)?;
        let dir = run_dir(args, &plan, ranks)?;
        (dir.path().to_owned(), one(&loaded, plan, data, bad, &dir, stop, (&origin, args.watch().how()), ranks)?)
    };
    Ok(exit_code(outcome, &path, ranks))
}

const FOLDS_OF_RANKS: &str = "cross-validation is done by one process: train the folds one after the other, each \
                              by mpirun with `--set data.split.fold=1` and so on";

/// Says where an interrupted run was saved.
pub fn exit_code(outcome: Outcome, run: &Path, ranks: &Ranks) -> ExitCode {
    match outcome {
        Outcome::Finished => ExitCode::SUCCESS,
        Outcome::Interrupted if !ranks.is_first() => ExitCode::from(130),
        Outcome::Interrupted => {
            eprintln!("interrupted; the position is saved, `runner resume {}` goes on", run.display());
            ExitCode::from(130)
        }
    }
}

/// Trains one net, in a run directory that is there.
#[allow(clippy::too_many_arguments)]
pub fn one(
    loaded: &Loaded,
    plan: Plan,
    data: Dataset,
    bad: Vec<BadImage>,
    dir: &RunDir,
    stop: StopFlag,
    (origin, follow): (&Origin, Option<How>),
    ranks: &Ranks,
) -> Result<Outcome, CommandError> {
    let _lock = locked(dir, ranks)?;
    let origin = &Origin { data: data.facts.description.clone(), ..origin.clone() };
    if ranks.is_first() {
        specs::begin(dir, loaded, &plan, Some(origin))?;
    }
    let written = resolved::absolute(&loaded.pipeline, &loaded.dir);
    let followed = Followed::new(origin, &loaded.text, &written, &plan);
    let job = Job {
        data,
        bad,
        dir,
        features: cache::features(),
        stop,
        workers: workers(&plan.spec, ranks),
        ranks: ranks.clone(),
        batches_a_step: ranks.count(),
        follow: following(origin, ranks, move || match follow {
            None => Box::new(Nothing),
            Some(how) => Box::new(Saves::follow(followed, how)),
        }),
        written,
        number: FIRST,
        command: origin.command(),
        plan: Arc::new(plan),
    };
    Ok(on_own_device(&Arc::clone(&job.plan).spec, ranks, Train { job, from: None, pending: None })??)
}

/// What a run follows, which of several ranks the first does for all.
pub fn following<'a>(
    origin: &Origin,
    ranks: &Ranks,
    follow: impl FnOnce() -> Box<dyn Follow + 'a>,
) -> Box<dyn Follow + 'a> {
    if !ranks.are_several() {
        return follow();
    }
    let own: Box<dyn Follow + 'a> = if ranks.is_first() { follow() } else { Box::new(Nothing) };
    Box::new(Told { ranks: ranks.clone(), own, spec: origin.spec.clone(), sets: origin.sets.clone() })
}

/// Takes a run directory, which of several ranks the first does for all.
pub fn locked(dir: &RunDir, ranks: &Ranks) -> Result<Option<RunLock>, CommandError> {
    let lock = ranks.is_first().then(|| RunLock::take(dir).map_err(|error| held(dir, &error))).transpose();
    ranks.first_then_others(|| lock)
}

/// The run directory cannot be had.
pub fn held(dir: &RunDir, error: &LockError) -> CommandError {
    CommandError::RunDir(format!("{}: {error}", dir.path().display()))
}

/// Opens the data and leaves out what cannot be read.
pub fn open_data(plan: &Plan, spec_dir: &Path, ranks: &Ranks) -> Result<(Dataset, Vec<BadImage>), CommandError> {
    // What is downloaded or looked at is there for the others.
    ranks.first_then_others(|| opened(plan, spec_dir, workers(&plan.spec, ranks)))
}

fn opened(plan: &Plan, spec_dir: &Path, workers: usize) -> Result<(Dataset, Vec<BadImage>), CommandError> {
    let spec = &plan.spec;
    let data = data::open(&spec.data, spec_dir, spec.seed)?.kept(spec);
    let leads = Leads::new(&spec.data.image, &spec.augmentation);
    let bad = check::scan(&data, workers, &leads, &Known::of(&data, &cache::images()));
    let data = check::leave_out(data, &bad, &spec.data)?;
    Ok((data, bad))
}

/// The run directory, which of several ranks the first makes.
fn run_dir(args: &RunArgs, plan: &Plan, ranks: &Ranks) -> Result<RunDir, CommandError> {
    let make = || match &args.run_dir {
        Some(path) => given_run_dir(path.clone()),
        None => Ok(RunDir::create(&plan.spec.name)?),
    };
    let made = ranks.is_first().then(make).transpose()?;
    let path = ranks.tell(|| made.as_ref().map(|dir| dir.path().to_owned()))?.unwrap_or_default();
    Ok(RunDir::open(path))
}

/// A run directory at a path that the user gave.
pub fn given_run_dir(path: PathBuf) -> Result<RunDir, CommandError> {
    let shown = path.display().to_string();
    RunDir::at(path).map_err(|error| CommandError::Arguments(format!("--run-dir {shown}: {error}")))
}

/// The directory of a run that was.
pub fn run_dir_of(run: &Path) -> Result<RunDir, CommandError> {
    if is_run(run) {
        return Ok(RunDir::open(run));
    }
    Err(CommandError::RunDir(format!("{}: no run directory: it has no resolved.yaml", run.display())))
}

/// The first Ctrl-C lets the step finish and the position be saved; the second ends the program.
pub fn stop_on_interrupt(ranks: &Ranks) -> StopFlag {
    let stop = StopFlag::default();
    let raised = stop.clone();
    // `mpirun` passes Ctrl-C on, and tells those that are left when one has died.
    let message = match (ranks.are_several(), ranks.is_first()) {
        (false, _) => "\nstopping after this step; Ctrl-C again to stop at once",
        (true, true) => "\ntold to stop: stopping after this step, if all ranks come to its end",
        (true, false) => "",
    };
    let handler = move || {
        if raised.raise() {
            std::process::exit(130);
        }
        if !message.is_empty() {
            eprintln!("{message}");
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl-C will stop the run at once: {error}");
    }
    stop
}

/// Trains, from the beginning or from a checkpoint.
pub struct Train<'a> {
    /// What the run is made of.
    pub job: Job<'a>,
    /// Where it goes on, if it does.
    pub from: Option<Checkpoint>,
    /// The spec that it had taken up besides the one that held.
    pub pending: Option<Prepared>,
}

impl DeviceTask for Train<'_> {
    type Output = Result<Outcome, TrainError>;

    fn run<D: Kernels>(self, device: D) -> Self::Output {
        let plan = Arc::clone(&self.job.plan);
        if plan.spec.memory_budget.is_some() {
            keep_nothing(&device)?;
        }
        let mut start = Start::of(&plan)?;
        let told = std::mem::take(&mut start.told);
        if self.from.is_none() && self.job.writes() {
            start.ledger.write(self.job.dir)?;
        }
        let net = Net { graph: plan.graph.clone(), params: start.params(&device, &plan.graph)? };
        let mut observer: Box<dyn Observer> =
            if self.job.writes() { Box::new(Console::new(plan.epochs())) } else { Box::new(Silent) };
        let trained = match self.from {
            Some(checkpoint) => resume(&device, net, self.job, checkpoint, self.pending, observer.as_mut()),
            None => train(&device, net, self.job, told, observer.as_mut()),
        };
        if let Err(TrainError::Image(_)) = &trained {
            // The next run looks at all of them again.
            forget(&cache::images());
        }
        trained
    }
}
