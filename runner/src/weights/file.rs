//! A weight file of any format.
//!
//! Values are read with plain reads rather than from a memory map: as fast for what is read once, and
//! another program that cuts the file short meanwhile causes an error here, not a crash.

use super::error::{Fault, WeightsError, invalid};
use super::place::{Place, Source};
use super::{Dtype, pth, safetensors, save};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How a weight file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Safetensors.
    Safetensors,
    /// What `torch.save` writes since torch 1.6: a zip archive around a pickle.
    TorchZip,
    /// What `torch.save` wrote before: pickles and values in one stream.
    TorchLegacy,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Format::Safetensors => "safetensors",
            Format::TorchZip => "torch zip archive",
            Format::TorchLegacy => "torch legacy pickle",
        })
    }
}

/// An open weight file: its table of contents, and access to the values.
///
/// Values are read when asked for, one tensor at a time.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    format: Format,
    tensors: IndexMap<String, Place>,
    metadata: BTreeMap<String, String>,
    header: Vec<u8>,
    source: Source,
}

impl WeightFile {
    /// Opens a file and reads its table of contents. The format is told by the content, not by the
    /// file's name.
    pub fn open(path: &Path) -> Result<WeightFile, WeightsError> {
        Self::open_untold(path).map_err(|fault| WeightsError::at(path, fault))
    }

    fn open_untold(path: &Path) -> Result<WeightFile, Fault> {
        let mut file = File::open(path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return invalid("not a file");
        }
        let format = match format_of(&mut file)? {
            Some(format) => format,
            None if facts.len() == 0 => return invalid("the file is empty"),
            None => return invalid(format!("not a weight file: {} bytes are too few", facts.len())),
        };
        let mut source = Source { file, archive: None };
        let (mut metadata, mut header) = (BTreeMap::new(), Vec::new());
        let tensors = match format {
            Format::Safetensors => {
                let contents = safetensors::read(&mut source.file, facts.len())?;
                (metadata, header) = (contents.metadata, contents.header);
                contents.tensors
            }
            Format::TorchZip => pth::read_zip(&mut source, facts.len())?,
            Format::TorchLegacy => pth::read_legacy(&mut source.file, facts.len())?,
        };
        Ok(WeightFile { path: path.into(), format, tensors, metadata, header, source })
    }

    /// Opens a file that [`save::save`] wrote.
    ///
    /// # Errors
    /// Where it cannot be read, or is not what was written.
    pub fn open_whole(path: &Path) -> Result<Self, WeightsError> {
        let mut file = WeightFile::open(path)?;
        if file.verify()? { Ok(file) } else { Err(WeightsError::at(path, "damaged: its checksum does not match")) }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What the writer noted beside the tensors (safetensors only).
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Names, shapes (in the framework's order) and types of all tensors, in the file's order.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &[usize], Dtype)> {
        self.tensors.iter().map(|(name, place)| (name.as_str(), place.dims(), place.dtype()))
    }

    /// Shape and type of one tensor.
    pub fn tensor(&self, name: &str) -> Option<(&[usize], Dtype)> {
        self.tensors.get(name).map(|place| (place.dims(), place.dtype()))
    }

    /// The values of one tensor, in C order. Float16 and bfloat16 are widened, float64 is rounded;
    /// integers are refused.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let values = match self.tensors.get(name) {
            Some(place) => place.read(&mut self.source),
            None => invalid("there is no such tensor"),
        };
        values.map_err(|fault| WeightsError::at(&self.path, format!("tensor `{name}`: {fault}")))
    }

    /// Compares the file with the checksum that [`save::save`] puts into it. False where it has none,
    /// which of a file that `save` wrote means that its header is damaged.
    pub fn verify(&mut self) -> Result<bool, WeightsError> {
        let start = 8 + self.header.len() as u64;
        match save::checksum_holds(&self.header, start, &mut self.source.file) {
            Ok(None) => Ok(false),
            Ok(Some(true)) => Ok(true),
            Ok(Some(false)) => Err(WeightsError::at(&self.path, "the file is damaged: its checksum does not hold")),
            Err(fault) => Err(WeightsError::at(&self.path, fault)),
        }
    }
}

/// Tells the format by the first bytes; `None` when there are too few to tell.
fn format_of(file: &mut File) -> Result<Option<Format>, Fault> {
    let mut first = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(9).read_to_end(&mut first)?;
    Ok(match first.as_slice() {
        // The ninth byte opens the header's JSON: the length before it may look like anything.
        [_, _, _, _, _, _, _, _, b'{', ..] => Some(Format::Safetensors),
        [b'P', b'K', 3, 4, ..] => Some(Format::TorchZip),
        [0x80, 2..=5, ..] => Some(Format::TorchLegacy),
        [_, _, _, _, _, _, _, _, ..] => Some(Format::Safetensors),
        _ => None,
    })
}
