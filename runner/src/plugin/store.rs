//! Where loaded libraries are kept: copies under the hash of their content, so that a plugin that is
//! built anew never changes one that is running.

use super::PluginError;
use crate::{atomic, cache, hex};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A copy of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The copy.
    pub file: PathBuf,
    /// The hash of its content.
    pub sha256: String,
}

/// Copies a library. `path` is the plugin's, for errors; with `pinned` the content must have that
/// hash.
pub fn keep(path: &Path, library: &Path, pinned: Option<&str>) -> Result<Stored, PluginError> {
    let content = std::fs::read(library)
        .map_err(|error| PluginError::library(path, format!("cannot read {}: {error}", library.display())))?;
    let sha256 = hex::sha256(&content);
    if let Some(pinned) = pinned
        && !pinned.eq_ignore_ascii_case(&sha256)
    {
        return Err(PluginError::Pinned { path: path.to_owned(), pinned: pinned.to_owned(), found: sha256 });
    }
    let folder = cache::folder().join("plugins");
    let file = folder.join(&sha256).with_extension(std::env::consts::DLL_EXTENSION);
    if !std::fs::read(&file).is_ok_and(|kept| kept == content) {
        let unwritten =
            |error: std::io::Error| PluginError::library(path, format!("cannot write {}: {error}", file.display()));
        std::fs::create_dir_all(&folder).map_err(unwritten)?;
        atomic::write(&file, |to| to.write_all(&content)).map_err(unwritten)?;
    }
    Ok(Stored { file, sha256 })
}
