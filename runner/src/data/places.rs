//! The folders in which named data sets are looked for.

use crate::cache;
use etcetera::BaseStrategy;
use std::ffi::OsString;
use std::path::PathBuf;

/// The folders in which named data sets are looked for. Made from the environment once, at the
/// border; everything below is handed the folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The user's folder of archives and prepared sets: `$RUNNER_DATA`. It is never written to.
    pub data: Option<PathBuf>,
    /// Where downloads and prepared sets are kept: `datasets` in `$RUNNER_CACHE`, else in the
    /// `runner` folder of the user's cache folder (`~/.cache/runner/datasets` on Linux).
    pub cache: Option<PathBuf>,
}

impl Places {
    /// The folders that the environment names.
    pub fn from_env() -> Self {
        let user = || etcetera::choose_base_strategy().ok().map(|base| base.cache_dir());
        Places::of(std::env::var_os("RUNNER_DATA"), std::env::var_os("RUNNER_CACHE"), user)
    }

    /// An empty variable counts as one that is not set, as in a shell.
    fn of(data: Option<OsString>, cache: Option<OsString>, user: impl FnOnce() -> Option<PathBuf>) -> Self {
        let folder = |variable: Option<OsString>| variable.filter(|text| !text.is_empty()).map(PathBuf::from);
        Places { data: folder(data), cache: cache::of(cache, user).map(|cache| cache.join("datasets")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_variable_wins_over_the_users_folder_and_an_empty_one_is_none() {
        let user = || Some(PathBuf::from("/home/someone/.cache"));
        let places = |data: &str, cache: &str| Places::of(Some(data.into()), Some(cache.into()), user);
        assert_eq!(places("", ""), Places { data: None, cache: Some("/home/someone/.cache/runner/datasets".into()) });
        assert_eq!(places("../d", "/c"), Places { data: Some("../d".into()), cache: Some("/c/datasets".into()) });
        assert_eq!(Places::of(None, None, || None), Places::default());
    }
}
