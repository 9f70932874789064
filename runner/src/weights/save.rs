//! Writes safetensors: whole or not at all, and so that damage is found when reading.

use super::error::{Fault, WeightsError, invalid};
use super::layout;
use crate::net::Param;
use ::safetensors::Dtype as Stored;
use ::safetensors::tensor::{Metadata, TensorInfo};
use half::f16;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// The key of the checksum in the file's metadata: SHA-256 over the header without it, then over
/// the values.
pub const CHECKSUM: &str = "sha256";

const METADATA: &str = "__metadata__";

/// In what precision values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As they are.
    #[default]
    Float32,
    /// Half the space, 11 significant bits. Values beyond 65504 are refused.
    Float16,
}

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor<'a> {
    /// The name.
    pub name: String,
    /// The shape.
    pub dims: Vec<usize>,
    /// The values, in C order.
    pub values: Cow<'a, [f32]>,
}

impl<'a> NamedTensor<'a> {
    /// A tensor from a name, a shape and values in C order.
    pub fn new(name: impl Into<String>, dims: Vec<usize>, values: impl Into<Cow<'a, [f32]>>) -> Self {
        NamedTensor { name: name.into(), dims, values: values.into() }
    }

    /// A parameter from its values in memory order, as files have it.
    pub fn of_param(param: &Param, memory: &[f32]) -> NamedTensor<'static> {
        NamedTensor::new(param.name.clone(), layout::file_dims(&param.def), layout::to_file(&param.def, memory))
    }
}

/// Writes tensors into a safetensors file, in their order, with a checksum.
///
/// The file appears under its name only when all of it is on the disk; an older one is replaced. The
/// same tensors and metadata give the same bytes.
pub fn save(
    path: &Path,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<(), WeightsError> {
    write(path, tensors, metadata, precision).map_err(|fault| WeightsError::at(path, fault))
}

fn write(
    path: &Path,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<(), Fault> {
    let header = header(tensors, metadata, precision)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = new_file(folder)?;
    let mut out = BufWriter::new(temporary.as_file_mut());
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for tensor in tensors {
        out.write_all(&encode(tensor, precision)?)?;
    }
    out.flush()?;
    drop(out);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// The header as JSON, padded to a multiple of eight bytes.
fn header(
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<Vec<u8>, Fault> {
    let mut notes: Map<String, Value> =
        metadata.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
    notes.shift_remove(CHECKSUM);
    let mut header = Map::from_iter([(METADATA.to_owned(), Value::Object(notes))]);
    header.extend(table(tensors, precision)?);

    let mut hash = Sha256::new();
    hash.update(json(&header)?);
    for tensor in tensors {
        hash.update(encode(tensor, precision)?);
    }
    if let Some(Value::Object(notes)) = header.get_mut(METADATA) {
        notes.insert(CHECKSUM.to_owned(), Value::String(hex(&hash.finalize())));
    }
    let mut header = json(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

/// The header's entries, checked by the crate that defines the format.
fn table(tensors: &[NamedTensor], precision: Precision) -> Result<Map<String, Value>, Fault> {
    let (dtype, size) = match precision {
        Precision::Float32 => (Stored::F32, 4),
        Precision::Float16 => (Stored::F16, 2),
    };
    let (mut names, mut at) = (HashSet::from([METADATA]), 0);
    let mut infos = Vec::new();
    for tensor in tensors {
        if !names.insert(&tensor.name) {
            return invalid(format!("two tensors are called `{}`", tensor.name));
        }
        let end = at + size * tensor.values.len();
        let shape = tensor.dims.clone();
        infos.push((tensor.name.clone(), TensorInfo { dtype, shape, data_offsets: (at, end) }));
        at = end;
    }
    let table = Metadata::new(None, infos).or_else(|error| invalid(format!("tensors that do not fit: {error}")))?;
    match serde_json::to_value(&table) {
        Ok(Value::Object(table)) => Ok(table),
        _ => invalid("the header cannot be written"),
    }
}

fn encode(tensor: &NamedTensor, precision: Precision) -> Result<Vec<u8>, Fault> {
    match precision {
        Precision::Float32 => Ok(tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Precision::Float16 => {
            let half = |&value: &f32| {
                let half = f16::from_f32(value);
                if half.is_infinite() && value.is_finite() { Err(value) } else { Ok(half.to_le_bytes()) }
            };
            match tensor.values.iter().map(half).collect::<Result<Vec<_>, f32>>() {
                Ok(halves) => Ok(halves.into_flattened()),
                Err(value) => invalid(format!("`{}` holds {value}, which is beyond float16", tensor.name)),
            }
        }
    }
}

/// Whether a file agrees with its checksum; `None` where its header has none. `start` is where the
/// values begin.
pub(super) fn checksum_holds(header: &[u8], start: u64, file: &mut File) -> Result<Option<bool>, Fault> {
    let Ok(mut header) = serde_json::from_slice::<Map<String, Value>>(header) else { return Ok(None) };
    let Some(Value::Object(notes)) = header.get_mut(METADATA) else { return Ok(None) };
    let Some(Value::String(expected)) = notes.shift_remove(CHECKSUM) else { return Ok(None) };
    let mut hash = Sha256::new();
    hash.update(json(&header)?);
    file.seek(SeekFrom::Start(start))?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Some(hex(&hash.finalize()) == expected)),
            len => hash.update(&piece[..len]),
        }
    }
}

fn json(header: &Map<String, Value>) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(header).or_else(|error| invalid(format!("the header cannot be written: {error}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A temporary file with the permissions of any new file, where the crate would keep others out.
fn new_file(folder: &Path) -> Result<NamedTempFile, Fault> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".saving-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    Ok(builder.tempfile_in(folder)?)
}

/// Puts the new name itself on the disk.
fn sync_folder(folder: &Path) -> Result<(), Fault> {
    // Windows cannot open folders, and needs no such step.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    let _ = folder;
    Ok(())
}
