//! Images that an earlier run has read: they need not be read again to know that they can be.

use crate::atomic;
use crate::data::sample::Pointer;
use crate::data::{Dataset, Sample};
use crate::hex::hex;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes of a mark.
const MARK: usize = 16;

/// What tells a file that was read: its path, and all by which the system tells that it has changed.
type Mark = [u8; MARK];

/// The marks of a data set's images that could be read.
#[derive(Debug, Default)]
pub struct Known {
    /// Where they are kept.
    file: Option<PathBuf>,
    marks: HashSet<Mark>,
}

impl Known {
    /// Nothing is known, and nothing will be kept.
    pub fn nothing() -> Self {
        Known::default()
    }

    /// What earlier runs have read of a data set, kept in a folder. Where the file is not whole, nothing is known.
    pub fn of(dataset: &Dataset, folder: &Path) -> Self {
        let file = folder.join(format!("{}.marks", name_of(dataset)));
        let marks = fs::read(&file).ok().and_then(|bytes| marks(&bytes)).unwrap_or_default();
        Known { file: Some(file), marks }
    }

    /// Whether a sample's image could be read, and its file is the same as then.
    pub fn has(&self, sample: &Sample) -> bool {
        !self.marks.is_empty() && mark(sample).is_some_and(|mark| self.marks.contains(&mark))
    }

    /// Keeps the marks of images that could be read. Where that fails, the next run reads them again.
    pub fn keep<'a>(&self, sound: impl Iterator<Item = &'a Sample>) {
        let Some(file) = &self.file else { return };
        let mut bytes: Vec<u8> = sound.filter_map(mark).flatten().collect();
        if bytes.is_empty() {
            return;
        }
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
        let kept = folder.and_then(|()| atomic::write::<io::Error>(file, |file| file.write_all(&bytes)));
        if let Err(error) = kept {
            tracing::warn!("{}: which images can be read is not kept: {error}", file.display());
        }
    }
}

/// Forgets what is kept in a folder: an image could not be read after all.
pub fn forget(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("{}: {error}", folder.display());
    }
}

/// The marks in a file, if its checksum is right.
fn marks(bytes: &[u8]) -> Option<HashSet<Mark>> {
    let (marks, sum) = bytes.split_last_chunk::<4>()?;
    let (whole, rest) = marks.as_chunks::<MARK>();
    let sound = rest.is_empty() && crc32fast::hash(marks) == u32::from_le_bytes(*sum);
    sound.then(|| whole.iter().copied().collect())
}

/// The same for the same files, in whatever splits.
fn name_of(dataset: &Dataset) -> String {
    let mut hash = Sha256::new();
    for sample in &dataset.samples.samples {
        if let Pointer::File(path) = &sample.pointer {
            hash.update(path.as_os_str().as_encoded_bytes());
            hash.update([0]);
        }
    }
    hex(&hash.finalize()[..MARK])
}

/// The mark of a file as it is now. The program's version is a part of it: another may read other files.
fn mark(sample: &Sample) -> Option<Mark> {
    let Pointer::File(path) = &sample.pointer else { return None };
    let facts = fs::metadata(path).ok().filter(Metadata::is_file)?;
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update([0]);
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update([0]);
    hash.update(facts.len().to_le_bytes());
    let since = facts.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    hash.update(since.as_nanos().to_le_bytes());
    // Content that is put in place of another with its time of change kept.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        for number in [facts.ino().cast_signed(), facts.ctime(), facts.ctime_nsec()] {
            hash.update(number.to_le_bytes());
        }
    }
    hash.finalize().first_chunk::<MARK>().copied()
}
