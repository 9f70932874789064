//! The program as one of several ranks, which `mpirun` started.

use super::{Cli, Command, CommandError, dispatch, set_threads, start_log};
use crate::ranks::Ranks;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Does what was asked for on all ranks. Whatever ends one of them ends all, and the first says why.
pub fn main(cli: Cli, ranks: &Ranks) -> ExitCode {
    start_log(cli.global.verbose, ranks.is_first());
    let done = catch_unwind(AssertUnwindSafe(|| command(cli, ranks)));
    let Ok(result) = done else {
        ranks.fail("it broke down: an internal error, said above");
        return ExitCode::from(101);
    };
    let result = result.and_then(|code| Ok(ranks.part().map(|()| code)?));
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    ranks.fail(&error.to_string());
    // What came of another rank's failure here does not matter.
    let error = ranks.another_stopped().map_or(error, |fault| fault.clone().into());
    if ranks.is_first() {
        error.show();
    }
    ExitCode::from(error.exit_code())
}

fn command(cli: Cli, ranks: &Ranks) -> Result<ExitCode, CommandError> {
    ranks.find_places()?;
    let threads = cli.global.threads.map_or_else(|| ranks.threads(), std::num::NonZero::get);
    set_threads(threads)?;
    match (&cli.command, &cli.run) {
        (None, Some(_)) | (Some(Command::Run(_) | Command::Resume { .. } | Command::Replay { .. }), _) => {
            tracing::info!("rank {} of {}: {threads} threads", ranks.rank(), ranks.count());
            dispatch(cli, ranks)
        }
        (Some(Command::Plan { .. } | Command::Check { .. }), _) if !ranks.is_first() => Ok(ExitCode::SUCCESS),
        (Some(Command::Plan { .. } | Command::Check { .. }), _) => dispatch(cli, ranks),
        _ => Err(CommandError::Arguments(format!(
            "mpirun has started {} processes, and this command is done by one: start it without mpirun",
            ranks.count()
        ))),
    }
}
