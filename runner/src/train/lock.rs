//! One runner a run directory.

use super::RunDir;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};

/// The name of the file in the run directory.
const FILE: &str = "lock";

/// Keeps other runners out of a run directory as long as it lives. The system lets go of it when the
/// program ends, however it ends, so a lock never outlives its runner.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    /// The process that had it before and did not put it down: that run was killed.
    pub left_by: Option<u32>,
}

/// The run directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another runner has it.
    #[error("another runner{} is at work in this run directory", pid.map_or(String::new(), |pid| format!(" (process {pid})")))]
    Held {
        /// The other's process, if it could be told.
        pid: Option<u32>,
    },
    /// The file cannot be opened or written.
    #[error("the run directory cannot be locked: {0}")]
    Io(#[from] io::Error),
}

impl RunLock {
    /// Takes a run directory, or says who has it.
    ///
    /// # Errors
    /// [`LockError::Held`] while another runner has it.
    pub fn take(dir: &RunDir) -> Result<Self, LockError> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.file(FILE))?;
        let locked = file.try_lock();
        let before = holder(&mut file);
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: before }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(RunLock { file, left_by: before })
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // An empty file says that the runner put it down itself. What cannot be written now is found
        // to be free by the next runner all the same.
        let _ = self.file.set_len(0);
    }
}

/// The process that the file names.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.take(32).read_to_string(&mut text)).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_second_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = RunDir::open(dir.path());
        let first = RunLock::take(&dir).unwrap();
        let error = RunLock::take(&dir).unwrap_err().to_string();
        let expected = format!("another runner (process {}) is at work in this run directory", std::process::id());
        assert_eq!(error, expected);
        drop(first);
        assert_eq!(RunLock::take(&dir).unwrap().left_by, None);
    }

    #[test]
    fn a_lock_whose_runner_was_killed_is_free_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "4194304").unwrap();
        assert_eq!(RunLock::take(&RunDir::open(dir.path())).unwrap().left_by, Some(4_194_304));
        fs::write(dir.path().join(FILE), "no number").unwrap();
        assert_eq!(RunLock::take(&RunDir::open(dir.path())).unwrap().left_by, None);
    }
}
