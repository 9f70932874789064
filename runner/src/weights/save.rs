//! Writes safetensors: whole or not at all, and so that damage is found when reading.

use super::error::{Fault, WeightsError, invalid};
use super::layout;
use crate::atomic;
use crate::hex::hex;
use crate::le_bytes::le_bytes;
use crate::net::Param;
use ::safetensors::Dtype as Stored;
use ::safetensors::tensor::{Metadata, TensorInfo};
use half::f16;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

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
    atomic::write(path, |file| {
        let mut out = BufWriter::new(file);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for tensor in tensors {
            out.write_all(&encode(tensor, precision)?)?;
        }
        Ok(out.flush()?)
    })
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

fn encode<'a>(tensor: &'a NamedTensor<'_>, precision: Precision) -> Result<Cow<'a, [u8]>, Fault> {
    match precision {
        Precision::Float32 => Ok(le_bytes(&tensor.values)),
        Precision::Float16 => {
            let half = |&value: &f32| {
                let half = f16::from_f32(value);
                if half.is_infinite() && value.is_finite() { Err(value) } else { Ok(half.to_le_bytes()) }
            };
            match tensor.values.iter().map(half).collect::<Result<Vec<_>, f32>>() {
                Ok(halves) => Ok(Cow::Owned(halves.into_flattened())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::WeightFile;

    fn tensors() -> Vec<NamedTensor<'static>> {
        vec![
            NamedTensor::new("z.weight", vec![2, 3], vec![0.1, -2.0, 3.5, 0.0, 1e-3, 65504.0]),
            NamedTensor::new("a.bias", vec![2], vec![1.0, 2.0]),
            NamedTensor::new("step", vec![], vec![7.0]),
            NamedTensor::new("empty", vec![0, 4], vec![]),
        ]
    }

    fn notes() -> BTreeMap<String, String> {
        BTreeMap::from([("epoch".into(), "3".into()), ("arch".into(), "resnet18".into())])
    }

    #[test]
    fn what_is_saved_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        for precision in [Precision::Float32, Precision::Float16] {
            save(&path, &tensors(), &notes(), precision).unwrap();
            let mut file = WeightFile::open(&path).unwrap();
            assert_eq!(file.metadata()["epoch"], "3");
            assert!(file.verify().unwrap());
            let names: Vec<&str> = file.tensors().map(|(name, ..)| name).collect();
            assert_eq!(names, ["z.weight", "a.bias", "step", "empty"]);
            for tensor in tensors() {
                assert_eq!(file.tensor(&tensor.name).unwrap().0, tensor.dims);
                for (read, saved) in file.read(&tensor.name).unwrap().iter().zip(tensor.values.iter()) {
                    let bound = if precision == Precision::Float16 { saved.abs() / 2048.0 } else { 0.0 };
                    assert!((read - saved).abs() <= bound, "{read} for {saved}");
                }
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn the_same_tensors_give_the_same_bytes_which_the_crate_reads() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = ["a", "b"].map(|name| {
            save(&folder.path().join(name), &tensors(), &notes(), Precision::Float32).unwrap();
            std::fs::read(folder.path().join(name)).unwrap()
        });
        assert_eq!(bytes[0], bytes[1]);
        let theirs = ::safetensors::SafeTensors::deserialize(&bytes[0]).unwrap();
        assert_eq!(
            theirs.tensor("a.bias").unwrap().data(),
            [1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].as_flattened()
        );
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        save(&path, &tensors(), &notes(), Precision::Float32).unwrap();
        let sound = std::fs::read(&path).unwrap();
        let harmless = |bytes: &[u8]| bytes.iter().rposition(|&byte| byte == b'}').unwrap()..sound.len() - 36;
        let padding = harmless(&sound[..sound.len() - 36]);
        for at in (0..sound.len()).filter(|at| !padding.contains(at)) {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, &damaged).unwrap();
            let seen = WeightFile::open(&path).and_then(|mut file| file.verify());
            // A damaged name of the checksum or of the notes leaves none to compare with.
            assert!(!matches!(seen, Ok(true)), "byte {at}");
        }
    }

    #[test]
    fn what_cannot_be_saved_is_refused_and_the_old_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        save(&path, &tensors(), &notes(), Precision::Float32).unwrap();
        let before = std::fs::read(&path).unwrap();
        let twice = NamedTensor::new("a.bias", vec![1], vec![0.0]);
        let reserved = NamedTensor::new("__metadata__", vec![1], vec![0.0]);
        let shapeless = NamedTensor::new("x", vec![3], vec![0.0]);
        let large = NamedTensor::new("x", vec![1], vec![70000.0]);
        for (tensor, precision, reason) in [
            (twice, Precision::Float32, "two tensors are called `a.bias`"),
            (reserved, Precision::Float32, "two tensors are called `__metadata__`"),
            (shapeless, Precision::Float32, "invalid shape"),
            (large, Precision::Float16, "`x` holds 70000, which is beyond float16"),
        ] {
            let error = save(&path, &[tensors(), vec![tensor]].concat(), &notes(), precision).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(save(Path::new("/no/such/folder/x"), &tensors(), &notes(), Precision::Float32).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_file_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (saved, plain) = (folder.path().join("saved"), folder.path().join("plain"));
        save(&saved, &tensors(), &notes(), Precision::Float32).unwrap();
        std::fs::write(&plain, "").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&saved), mode(&plain));
    }
}
