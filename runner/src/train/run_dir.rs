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

    /// The checkpoint so many before the last.
    pub fn before_last(&self, count: usize) -> PathBuf {
        if count == 0 { self.last() } else { self.file(&format!("checkpoints/last-{count}.safetensors")) }
    }

    /// The best weights of the phase that goes on, where it is to end with them.
    pub fn best_of_phase(&self) -> PathBuf {
        self.file("checkpoints/phase-best.safetensors")
    }

    /// The checkpoint with the best weights.
    pub fn best(&self) -> PathBuf {
        self.file("checkpoints/best.safetensors")
    }

    /// Makes room for another last checkpoint: the ones before move on, so that `keep` are left with it. The
    /// last one stays in its place until it is replaced.
    pub fn rotate(&self, keep: usize) -> io::Result<()> {
        for count in (1..keep).rev() {
            let (from, to) = (self.before_last(count - 1), self.before_last(count));
            if !from.exists() {
                continue;
            }
            if count > 1 {
                fs::rename(from, to)?;
            } else {
                remove(&to)?;
                link(&from, &to)?;
            }
        }
        let mut beyond = keep.max(1);
        while self.before_last(beyond).exists() {
            fs::remove_file(self.before_last(beyond))?;
            beyond += 1;
        }
        Ok(())
    }

    /// Removes what was left of files that a killed run was about to write.
    pub fn remove_unfinished(&self) -> io::Result<()> {
        for folder in [self.path.clone(), self.file("checkpoints"), self.file("plugins"), self.file("specs")] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(atomic::UNFINISHED) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Writes a file whole or not at all.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        atomic::write(&self.file(name), |file| file.write_all(content))
    }
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives a file a second name; where the file system has no such thing, a copy gets it.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
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

    #[test]
    fn so_many_checkpoints_are_kept() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let dir = RunDir::at(dir.path().to_owned())?;
        let kept = |dir: &RunDir| -> Vec<String> {
            (0..9).map_while(|count| fs::read_to_string(dir.before_last(count)).ok()).collect()
        };
        for number in 0..5 {
            dir.rotate(3)?;
            dir.write("checkpoints/last.safetensors", number.to_string().as_bytes())?;
        }
        assert_eq!(kept(&dir), ["4", "3", "2"]);
        dir.rotate(3)?;
        assert_eq!(kept(&dir)[0], "4", "the last one is there all the time");
        dir.rotate(1)?;
        assert_eq!(kept(&dir), ["4"]);
        Ok(())
    }

    #[test]
    fn what_was_not_finished_is_removed_and_nothing_else() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let dir = RunDir::at(dir.path().to_owned())?;
        for name in ["checkpoints/.saving-x1", ".saving-x2", "checkpoints/last.safetensors", ".hidden"] {
            fs::write(dir.file(name), "x")?;
        }
        dir.remove_unfinished()?;
        assert!(!dir.file("checkpoints/.saving-x1").exists() && !dir.file(".saving-x2").exists());
        assert!(dir.last().exists() && dir.file(".hidden").exists());
        Ok(())
    }
}
