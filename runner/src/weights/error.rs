//! What can go wrong with a weight file.

use std::io;
use std::path::Path;

/// A weight file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file cannot be read, or is not what it claims to be.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// What was found out about a file cannot be written to where a person would read it.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl WeightsError {
    /// A fault of the file at `path`.
    pub(super) fn at(path: &Path, reason: impl Into<String>) -> Self {
        WeightsError::File { path: path.display().to_string(), reason: reason.into() }
    }
}

/// A fault of a file, seen from within a reader, which does not know the file's path.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Reading failed.
    #[error("{}", describe(.0))]
    Io(#[from] io::Error),
    /// The zip archive around it is broken.
    #[error("the zip archive is broken or cut short: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// What was read makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl From<Fault> for String {
    fn from(fault: Fault) -> String {
        fault.to_string()
    }
}

/// A [`Fault::Invalid`] as the error of any function.
pub(super) fn invalid<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Invalid(reason.into()))
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file is cut short: it ends in the middle of a value".into(),
        io::ErrorKind::NotFound => "there is no such file".into(),
        _ => error.to_string(),
    }
}
