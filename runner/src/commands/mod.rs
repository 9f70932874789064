//! The commands of the program, one file each.

pub mod augment;
pub mod check;
pub mod completions;
pub mod convert;
pub mod datasets;
pub mod error;
pub mod evaluate;
pub mod features;
mod folds;
pub mod inspect;
pub mod loaded;
pub mod lr_find;
mod on_device;
pub mod plan;
pub mod plugin;
pub mod predict;
pub mod replay;
pub mod resume;
pub mod run;
pub mod schema;
mod together;
pub mod trained;

pub use error::CommandError;

use crate::engine::device::set_threads;
use crate::ranks::{self, Ranks};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Fine-tunes pretrained image backbones as a YAML pipeline says.
///
/// `runner pipelines/medical.yaml` trains; `runner plan pipelines/medical.yaml` says what it would do.
#[derive(Debug, Parser)]
#[command(name = "runner", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Exit codes: 0 done, 1 the run failed, 2 the spec or the arguments are wrong, 130 interrupted.")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Option<run::RunArgs>,
    #[command(flatten)]
    global: GlobalArgs,
}

/// What every command takes.
#[derive(Debug, Args)]
struct GlobalArgs {
    /// Say more: -v what is done, -vv everything.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Threads that compute; by default, as many as there are cores. Of several ranks each has as many; by default they
    /// share the cores.
    #[arg(long, value_name = "N", global = true)]
    threads: Option<std::num::NonZeroUsize>,
}

/// A spec and its overrides.
#[derive(Debug, Args)]
pub struct SpecArgs {
    /// The pipeline, a YAML file.
    pub spec: PathBuf,
    /// Override a value of the spec: `--set schedule.phases.0.epochs=1`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train as a pipeline says (also: `runner SPEC`).
    Run(run::RunArgs),
    /// Go on with a run that was interrupted or killed, from its last checkpoint.
    Resume {
        /// The run directory.
        run: PathBuf,
        #[command(flatten)]
        watch: run::WatchArgs,
    },
    /// Train once more as a run was trained, with the specs that it took up where it took them up, and say
    /// whether the weights are the same to the last bit.
    Replay {
        /// The run directory.
        run: PathBuf,
        /// Where to keep the replay; by default `RUN-replay`.
        #[arg(long, value_name = "DIR")]
        run_dir: Option<PathBuf>,
    },
    /// Show what a pipeline would do: layers, phases, learning rates, memory. Reads no image.
    Plan {
        #[command(flatten)]
        spec: SpecArgs,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Check a pipeline and do nothing.
    Check {
        #[command(flatten)]
        spec: SpecArgs,
    },
    /// Try rising learning rates on a phase, show what becomes of the loss, and suggest a rate.
    LrFind(lr_find::LrFindArgs),
    /// Draw what a pipeline's augmentation makes of training images, as a PNG.
    Augment(augment::AugmentArgs),
    /// Evaluate the best weights of a run, on its test split or on other images.
    Evaluate(evaluate::EvaluateArgs),
    /// Say what the best weights of a run take images for.
    Predict(predict::PredictArgs),
    /// Write what a net sees in images (its features) as arrays, for other programs.
    Features(features::FeaturesArgs),
    /// List the tensors of a weight file: names, shapes, ranges. Or, of a pipeline, what it starts from.
    Inspect {
        /// A `.safetensors`, `.pth` or `.pt` file.
        #[arg(required_unless_present = "loaded")]
        weights: Option<PathBuf>,
        /// Load this pipeline's weights, train nothing, and say of each tensor of the net where it is
        /// loaded from, and the hashes before and after.
        #[arg(long, value_name = "SPEC", conflicts_with = "weights")]
        loaded: Option<PathBuf>,
        /// With `--loaded`: override a value of the spec.
        #[arg(long = "set", value_name = "PATH=VALUE", requires = "loaded")]
        sets: Vec<String>,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// List the data sets that go by name.
    Datasets,
    /// Write, list and check plugins: layers in shared libraries.
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Print the JSON Schema of pipelines, for editors.
    Schema,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match ranks::join() {
        Ok(joined) if joined.ranks.are_several() => together::main(cli, &joined.ranks),
        Ok(joined) => {
            start_log(cli.global.verbose, true);
            ended(alone(cli, &joined.ranks))
        }
        // The launcher stops all of them as soon as one fails, which is to be the one that speaks.
        Err(_) if !ranks::speaks() => ExitCode::SUCCESS,
        Err(fault) => ended(Err(fault.into())),
    }
}

fn alone(cli: Cli, ranks: &Ranks) -> Result<ExitCode, CommandError> {
    if let Some(count) = cli.global.threads {
        set_threads(count.get())?;
    }
    dispatch(cli, ranks)
}

/// What the program ends with; an error is shown.
fn ended(result: Result<ExitCode, CommandError>) -> ExitCode {
    result.unwrap_or_else(|error| {
        error.show();
        ExitCode::from(error.exit_code())
    })
}

fn dispatch(cli: Cli, ranks: &Ranks) -> Result<ExitCode, CommandError> {
    let mut out = std::io::stdout().lock();
    match (cli.command, cli.run) {
        (Some(Command::Run(args)), _) | (None, Some(args)) => {
            drop(out);
            return run::run(&args, ranks);
        }
        (Some(Command::Resume { run, watch }), _) => {
            drop(out);
            return resume::run(&run, &watch, ranks);
        }
        (Some(Command::Replay { run, run_dir }), _) => {
            drop(out);
            return replay::run(&run, run_dir, ranks);
        }
        (None, None) => {
            use clap::CommandFactory;
            let _ = Cli::command().print_help();
            return Ok(ExitCode::from(2));
        }
        (Some(Command::Plan { spec, json }), _) => plan::run(&spec.spec, &spec.sets, json, ranks, &mut out)?,
        (Some(Command::Check { spec }), _) => check::run(&spec.spec, &spec.sets, &mut out)?,
        (Some(Command::LrFind(args)), _) => lr_find::run(&args, &mut out)?,
        (Some(Command::Augment(args)), _) => augment::run(&args, &mut out)?,
        (Some(Command::Evaluate(args)), _) => evaluate::run(&args, &mut out)?,
        (Some(Command::Predict(args)), _) => predict::run(&args, &mut out)?,
        (Some(Command::Features(args)), _) => features::run(&args, &mut out)?,
        (Some(Command::Inspect { loaded: Some(spec), sets, json, .. }), _) => {
            loaded::run(&spec, &sets, json, &mut out)?;
        }
        (Some(Command::Inspect { weights, json, .. }), _) => {
            inspect::run(&weights.unwrap_or_default(), json, &mut out)?;
        }
        (Some(Command::Datasets), _) => datasets::run(&mut out)?,
        (Some(Command::Plugin(command)), _) => return plugin::run(&command, &mut out),
        (Some(Command::Schema), _) => schema::run(&mut out)?,
        (Some(Command::Completions { shell }), _) => completions::run(shell, &mut out),
    }
    Ok(ExitCode::SUCCESS)
}

/// Logs go to stderr: warnings, or what `-v` and `RUST_LOG` ask for. Of several ranks the first warns.
fn start_log(verbose: u8, warns: bool) {
    let least = if warns { "warn" } else { "error" };
    let level = [least, "runner=info", "runner=debug"][usize::from(verbose.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(console::colors_enabled_stderr())
        .with_target(false)
        .init();
}
