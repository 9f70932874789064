//! `runner plugin ...`: plugins are written, listed and checked.

pub mod check;
pub mod list;
pub mod new;

use super::CommandError;
use clap::Subcommand;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Write a new plugin, and a pipeline that uses it.
    New(new::NewArgs),
    /// Show what a plugin brings: its layers and their arguments.
    List {
        /// A library, a C file, or a folder that a plugin is built from.
        path: PathBuf,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Try a plugin's layers: shapes, gradients, randomness, threads, memory.
    Check(check::CheckArgs),
}

/// Runs one of them.
pub fn run(command: &PluginCommand, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    match command {
        PluginCommand::New(args) => new::run(args, out)?,
        PluginCommand::List { path, json } => list::run(path, *json, out)?,
        PluginCommand::Check(args) => return check::run(args, out),
    }
    Ok(ExitCode::SUCCESS)
}
