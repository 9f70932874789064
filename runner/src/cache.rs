//! The folder for what can be had again: downloads, copies of plugins.

use etcetera::BaseStrategy;
use std::ffi::OsString;
use std::path::PathBuf;

/// The folder for what can be had again: `$RUNNER_CACHE`, else the `runner` folder of the user's cache
/// folder (`~/.cache/runner` on Linux), else one among the temporary files.
pub fn folder() -> PathBuf {
    let user = || etcetera::choose_base_strategy().ok().map(|base| base.cache_dir());
    of(std::env::var_os("RUNNER_CACHE"), user).unwrap_or_else(|| std::env::temp_dir().join("runner"))
}

/// The folder for features that are kept in files.
pub fn features() -> PathBuf {
    folder().join("features")
}

/// The folder for what is known of images: which of them can be read.
pub fn images() -> PathBuf {
    folder().join("images")
}

/// An empty variable counts as one that is not set, as in a shell.
pub fn of(variable: Option<OsString>, user: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    let named = variable.filter(|text| !text.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(user()?.join("runner")))
}
