//! `runner completions SHELL`.

use super::Cli;
use clap::CommandFactory;
use std::io::Write;

/// Prints completions for a shell.
pub fn run(shell: clap_complete::Shell, out: &mut impl Write) {
    clap_complete::generate(shell, &mut Cli::command(), "runner", out);
}
