//! The directory of a run, and how files get into it.

use crate::atomic;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The directory of one run.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes a new directory `runs/NAME/YYYYMMDD-HHMMSS-xxxx`.
    pub fn create(name: &str) -> io::Result<Self> {
        Self::at(Self::free(name)?)
    }

    /// The path of a directory `runs/NAME/YYYYMMDD-HHMMSS-xxxx` that is not there yet.
    pub fn free(name: &str) -> io::Result<PathBuf> {
        let now = jiff::Zoned::now();
        let stamp = now.strftime("%Y%m%d-%H%M%S").to_string();
        let mut nonce = u64::from(std::process::id()) ^ now.timestamp().as_nanosecond() as u64;
        // Two runs may begin within one second.
        for _ in 0..1000 {
            nonce = nonce.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let path = Path::new("runs").join(name).join(format!("{stamp}-{:04x}", (nonce >> 40) as u16));
            if !path.exists() {
                return Ok(path);
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name for a run directory"))
    }

    /// Makes `path` a run directory; it must be new or empty.
    pub fn at(path: PathBuf) -> io::Result<Self> {
        if path.exists() && (!path.is_dir() || fs::read_dir(&path)?.next().is_some()) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already and not an empty folder"));
        }
        fs::create_dir_all(path.join("checkpoints"))?;
        Ok(RunDir { path })
    }

    /// An existing run directory.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        RunDir { path: path.into() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The checkpoint with the latest weights.
    pub fn last(&self) -> PathBuf {
        self.file("checkpoints/last.safetensors")
    }

    /// The checkpoint with the best weights.
    pub fn best(&self) -> PathBuf {
        self.file("checkpoints/best.safetensors")
    }

    /// Writes a file whole or not at all.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        atomic::write(&self.file(name), |file| file.write_all(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_refused() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        RunDir::at(dir.path().join("new"))?;
        fs::write(dir.path().join("file"), "x")?;
        let error = RunDir::at(dir.path().to_owned()).err();
        assert_eq!(error.map(|error| error.kind()), Some(io::ErrorKind::AlreadyExists));
        Ok(())
    }
}
