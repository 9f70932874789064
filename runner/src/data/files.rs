//! Images that are files.

use super::decode::{self, decode};
use super::sample::Pointer;
use super::{BadImage, ImageSource, Sample};
use crate::augment::Pixels;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// No image file is larger; reading a device or a disk image by mistake would not end well.
const LARGEST: u64 = 1 << 30;

/// Reads samples that are image files.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// A temporary folder that holds the files: it lives as long as somebody may read from it.
    _keep: Option<Arc<TempDir>>,
}

impl Files {
    /// Files in a temporary folder, which goes when this and its copies do.
    pub fn within(folder: Option<TempDir>) -> Self {
        Files { _keep: folder.map(Arc::new) }
    }
}

impl ImageSource for Files {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        decode(&sample.name, &bytes_of(sample)?)
    }

    fn digest(&self, sample: &Sample) -> Result<[u8; 32], BadImage> {
        Ok(Sha256::digest(bytes_of(sample)?).into())
    }

    fn size(&self, sample: &Sample) -> Option<[usize; 3]> {
        let Pointer::File(path) = &sample.pointer else { return None };
        decode::size(path)
    }
}

fn bytes_of(sample: &Sample) -> Result<Vec<u8>, BadImage> {
    let read = match &sample.pointer {
        Pointer::File(path) => bytes(path),
        Pointer::Number(_) => Err("it is not a file".to_owned()),
    };
    read.map_err(|reason| BadImage { name: sample.name.clone(), reason })
}

/// A whole file, or why it cannot be read.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let facts = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("it is not a file".into());
    }
    if facts.len() > LARGEST {
        return Err(format!("it is larger ({} bytes) than any image file", facts.len()));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let sample = |pointer| Sample { name: "a/b.png".into(), pointer, label: 0, group: None, split: None };
        let read = |pointer| Files::default().read(&sample(pointer)).unwrap_err();
        assert_eq!(read(Pointer::File(folder.path().into())).to_string(), "a/b.png: it is not a file");
        assert_eq!(read(Pointer::Number(3)).to_string(), "a/b.png: it is not a file");
        assert!(read(Pointer::File(folder.path().join("none.png"))).reason.contains("No such file"));
    }
}
