//! What a command ends with when it does not succeed.

use crate::data::{BadImage, DataError};
use crate::engine::EngineError;
use crate::plugin::PluginError;
use crate::plugin::new::NewError;
use crate::ranks::RankFault;
use crate::spec::SpecError;
use crate::train::TrainError;
use crate::weights::WeightsError;
use std::io;

/// A command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The spec is wrong.
    #[error("{0}")]
    Spec(#[from] SpecError),
    /// The arguments are wrong.
    #[error("{0}")]
    Arguments(String),
    /// A plugin cannot be used.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A plugin cannot be written.
    #[error(transparent)]
    NewPlugin(#[from] NewError),
    /// The data cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] BadImage),
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] EngineError),
    /// A weight file cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The ranks that train together cannot go on.
    #[error(transparent)]
    Ranks(#[from] RankFault),
    /// The run failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A run directory does not hold what it should.
    #[error("{0}")]
    RunDir(String),
    /// Something cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl CommandError {
    /// The exit code: 2 where the spec, the arguments or a plugin are wrong, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::Spec(_)
            | CommandError::Arguments(_)
            | CommandError::Plugin(_)
            | CommandError::Ranks(RankFault::NoMpi { .. }) => 2,
            CommandError::NewPlugin(error) if !matches!(error, NewError::Write { .. }) => 2,
            _ => 1,
        }
    }

    /// Prints the error on stderr. A closed pipe is no error to speak of.
    pub fn show(&self) {
        match self {
            CommandError::Spec(error) => eprint!("{}", error.render(console::colors_enabled_stderr())),
            CommandError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            _ => {
                eprintln!("{} {self}", console::style("error:").for_stderr().red().bold());
                if let CommandError::Train(error) = self
                    && let Some(advice) = error.advice()
                {
                    eprintln!("  {advice}");
                }
            }
        }
    }
}
