//! What can go wrong with a plugin.

use std::path::{Path, PathBuf};

/// How the reason of a function that failed begins.
pub(super) const FAILED: &str = "failed: ";

/// How the reason of a function that panicked begins.
pub(super) const PANICKED: &str = "panicked: ";

/// Something is wrong with a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// It cannot be found, built or loaded, or is no plugin for this runner.
    #[error("plugin {}: {reason}", path.display())]
    Library {
        /// The library or folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Its content is not what the spec pins.
    #[error("plugin {}: its sha256 is {found}, and {pinned} is pinned", path.display())]
    Pinned {
        /// The library or folder.
        path: PathBuf,
        /// The hash that the spec asks for.
        pinned: String,
        /// The hash of the library.
        found: String,
    },
    /// One of its functions failed.
    #[error("plugin `{plugin}`, layer `{layer}`: `{function}` {reason}")]
    Call {
        /// The plugin's name.
        plugin: String,
        /// The layer's name.
        layer: String,
        /// The function of the interface.
        function: &'static str,
        /// What it said, or what is wrong with what it did: "failed: ...", "panicked: ...".
        reason: String,
    },
}

impl PluginError {
    /// A library that cannot be used.
    pub fn library(path: &Path, reason: impl Into<String>) -> Self {
        PluginError::Library { path: path.to_owned(), reason: reason.into() }
    }

    /// Whether a function refused what it was given, in its own words.
    pub fn is_refusal(&self) -> bool {
        matches!(self, PluginError::Call { reason, .. } if reason.starts_with(FAILED))
    }

    /// Whether a function panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, PluginError::Call { reason, .. } if reason.starts_with(PANICKED))
    }

    /// What went wrong, without the names of plugin and layer: "`forward` failed: ...".
    pub fn fault(&self) -> String {
        match self {
            PluginError::Call { function, reason, .. } => format!("`{function}` {reason}"),
            other => other.to_string(),
        }
    }
}
