//! How a check ends.

use crate::plugin::PluginError;

/// How a check ends.
pub type Checked = Result<Outcome, Failure>;

/// No fault was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is well; what was tried.
    Fine(String),
    /// It was not done; why.
    Skipped(String),
}

/// A fault was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The fault.
    pub what: String,
    /// What the layer was tried with, where that matters.
    pub with: Option<String>,
    /// Whether the checks that follow would say nothing.
    pub is_final: bool,
}

impl Failure {
    /// A fault that leaves the other checks their sense.
    pub fn new(what: impl Into<String>) -> Self {
        Failure { what: what.into(), with: None, is_final: false }
    }

    /// A fault that the checks which follow would only find again.
    pub fn last(what: impl Into<String>) -> Self {
        Failure { is_final: true, ..Failure::new(what) }
    }

    /// The same, found with this, unless more is known already.
    #[must_use]
    pub fn with(mut self, with: impl FnOnce() -> String) -> Self {
        self.with = self.with.or_else(|| Some(with()));
        self
    }
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Failure::last(error.fault())
    }
}
