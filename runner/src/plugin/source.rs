//! From the path that a spec names to a library file.

use super::{PluginError, build};
use std::path::{Path, PathBuf};

/// How the library of a path is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It is the file itself.
    Library(PathBuf),
    /// A folder with a `Cargo.toml`, built by `cargo build --release`.
    Cargo(PathBuf),
    /// A folder with a `Makefile`, built by `make`.
    Make(PathBuf),
    /// A single C file, built by `cc`.
    C(PathBuf),
}

impl Source {
    /// What there is at a path.
    pub fn at(path: &Path) -> Result<Self, PluginError> {
        if path.is_file() {
            let is_c = path.extension().is_some_and(|extension| extension == "c");
            return Ok(if is_c { Source::C(path.to_owned()) } else { Source::Library(path.to_owned()) });
        }
        if !path.is_dir() {
            return Err(PluginError::library(path, "there is no such file or folder"));
        }
        if path.join("Cargo.toml").is_file() {
            return Ok(Source::Cargo(path.to_owned()));
        }
        if ["Makefile", "makefile", "GNUmakefile"].iter().any(|name| path.join(name).is_file()) {
            return Ok(Source::Make(path.to_owned()));
        }
        let unread = |error: std::io::Error| PluginError::library(path, error.to_string());
        let mut sources = Vec::new();
        for entry in path.read_dir().map_err(unread)? {
            let file = entry.map_err(unread)?.path();
            if file.extension().is_some_and(|extension| extension == "c") {
                sources.push(file);
            }
        }
        match sources.pop() {
            Some(only) if sources.is_empty() => Ok(Source::C(only)),
            None => Err(PluginError::library(
                path,
                "the folder has no `Cargo.toml`, no `Makefile` and no C file to build a plugin from",
            )),
            Some(_) => Err(PluginError::library(
                path,
                "the folder has several C files: add a `Makefile` that builds one library",
            )),
        }
    }

    /// The library, built where it has to be.
    pub fn library(&self) -> Result<PathBuf, PluginError> {
        match self {
            Source::Library(file) => Ok(file.clone()),
            Source::Cargo(folder) => build::cargo(folder),
            Source::Make(folder) => build::make(folder),
            Source::C(file) => build::cc(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_is_built_by_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let at = || Source::at(dir.path());
        assert!(at().unwrap_err().to_string().contains("no `Cargo.toml`, no `Makefile` and no C file"));
        let one = dir.path().join("one.c");
        fs::write(&one, "").unwrap();
        assert_eq!(at().unwrap(), Source::C(one.clone()));
        assert_eq!(Source::at(&one).unwrap(), Source::C(one));
        fs::write(dir.path().join("two.c"), "").unwrap();
        assert!(at().unwrap_err().to_string().contains("several C files"));
        fs::write(dir.path().join("Makefile"), "").unwrap();
        assert_eq!(at().unwrap(), Source::Make(dir.path().to_owned()));
        fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(at().unwrap(), Source::Cargo(dir.path().to_owned()));
    }

    #[test]
    fn a_file_is_a_library_and_nothing_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Source::at(file.path()).unwrap(), Source::Library(file.path().to_owned()));
        let error = Source::at(Path::new("/nowhere/x.so")).unwrap_err();
        assert_eq!(error.to_string(), "plugin /nowhere/x.so: there is no such file or folder");
    }
}
