//! Reads the table of contents of a safetensors file.
//!
//! The format (<https://huggingface.co/docs/safetensors>): eight bytes with the header's length, the
//! header as JSON, the values. Only the header is held in memory.

use super::Dtype;
use super::error::{Fault, invalid};
use super::place::{Bytes, Place};
use ::safetensors::tensor::Metadata;
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// The longest header that is read: room for half a million tensors.
const MAX_HEADER: u64 = 64 << 20;

/// What a header says.
#[derive(Debug)]
pub(super) struct Contents {
    /// The tensors, in the order of their values.
    pub tensors: IndexMap<String, Place>,
    /// What the writer noted.
    pub metadata: BTreeMap<String, String>,
    /// The header, as it is in the file.
    pub header: Vec<u8>,
}

/// Reads the header of a file of `file_len` bytes and checks it against the file.
pub(super) fn read(file: &mut File, file_len: u64) -> Result<Contents, Fault> {
    let header = read_header(file, file_len)?;
    let text = match std::str::from_utf8(&header) {
        Ok(text) => text,
        Err(error) => return invalid(format!("the header is not UTF-8: {error}")),
    };
    check_names(text)?;
    let table: Metadata = match serde_json::from_str(text) {
        Ok(table) => table,
        Err(error) => return invalid(format!("the header is broken: {error}")),
    };
    let start = 8 + header.len() as u64;
    let (described, present) = (table.data_len() as u64, file_len - start);
    if described > present {
        return invalid(format!(
            "the file is cut short: its header describes {described} bytes of values, {present} are there"
        ));
    }
    if described < present {
        return invalid(format!("{} bytes follow that the header does not describe", present - described));
    }
    let mut tensors = IndexMap::new();
    for name in table.offset_keys() {
        let Some(info) = table.info(&name) else { continue };
        let (from, to) = info.data_offsets;
        let bytes = Bytes::plain(start + from as u64, (to - from) as u64, file_len)?;
        tensors.insert(name, Place::whole(bytes, dtype(info.dtype), info.shape.clone()));
    }
    let metadata = table.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(Contents { tensors, metadata, header })
}

fn read_header(file: &mut File, file_len: u64) -> Result<Vec<u8>, Fault> {
    let mut len = [0; 8];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut len)?;
    let len = u64::from_le_bytes(len);
    if len > file_len.saturating_sub(8) {
        return invalid(format!(
            "not a weight file, or cut short: read as safetensors its header has {len} bytes, but the file has {file_len}"
        ));
    }
    if len > MAX_HEADER {
        return invalid(format!("the header has {len} bytes, more than the {MAX_HEADER} that are read"));
    }
    let mut header = vec![0; len as usize];
    file.read_exact(&mut header)?;
    Ok(header)
}

/// The crate keeps the last of two tensors of one name and says nothing.
fn check_names(header: &str) -> Result<(), Fault> {
    match serde_json::from_str::<UniqueNames>(header) {
        Ok(UniqueNames) => Ok(()),
        Err(error) => invalid(format!("the header is broken: {error}")),
    }
}

struct UniqueNames;

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueNames)
    }
}

impl<'de> Visitor<'de> for UniqueNames {
    type Value = UniqueNames;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a table of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if let Some(twice) = names.replace(name) {
                return Err(serde::de::Error::custom(format!("`{twice}` is there twice")));
            }
        }
        Ok(UniqueNames)
    }
}

fn dtype(dtype: ::safetensors::Dtype) -> Dtype {
    use ::safetensors::Dtype as Stored;
    let name = match dtype {
        Stored::F16 => return Dtype::F16,
        Stored::BF16 => return Dtype::Bf16,
        Stored::F32 => return Dtype::F32,
        Stored::F64 => return Dtype::F64,
        Stored::BOOL => "bool",
        Stored::U8 => "uint8",
        Stored::I8 => "int8",
        Stored::U16 => "uint16",
        Stored::I16 => "int16",
        Stored::U32 => "uint32",
        Stored::I32 => "int32",
        Stored::U64 => "uint64",
        Stored::I64 => "int64",
        Stored::F8_E4M3 | Stored::F8_E5M2 | Stored::F8_E8M0 => "float8",
        _ => "float below 8 bits",
    };
    Dtype::Other { name, bits: dtype.bitsize() }
}

#[cfg(test)]
mod tests {
    use crate::weights::testing::{on_disk, safetensors_file};
    use crate::weights::{Dtype, WeightFile};

    fn refusal(bytes: &[u8]) -> String {
        let (_folder, path) = on_disk(bytes);
        let error = WeightFile::open(&path).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    }

    #[test]
    fn half_and_double_precision_are_read() {
        let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},"d":{"dtype":"F64","shape":[1],"data_offsets":[6,14]},"n":{"dtype":"I64","shape":[],"data_offsets":[14,22]}}"#;
        let values =
            [&[0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f][..], &0.25_f64.to_le_bytes(), &9_i64.to_le_bytes()].concat();
        let (_folder, path) = on_disk(&safetensors_file(header, &values));
        let mut file = WeightFile::open(&path).unwrap();
        assert_eq!(file.read("h").unwrap(), [1.0, -2.0]);
        assert_eq!(file.read("b").unwrap(), [1.0]);
        assert_eq!(file.read("d").unwrap(), [0.25]);
        assert_eq!(file.tensor("n"), Some((&[][..], Dtype::I64)));
        let error = file.read("n").unwrap_err().to_string();
        assert!(error.ends_with("tensor `n`: values of type int64 are no weights"), "{error}");
        assert!(!file.verify().unwrap(), "a file without a checksum is not verified");
    }

    #[test]
    fn broken_headers_are_refused() {
        let one = |from: u64, to: u64, shape: &str| {
            format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
        };
        let two = |second: &str| {
            format!(
                r#"{{"x":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},{second}:{{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}}}"#
            )
        };
        for (bytes, reason) in [
            (
                safetensors_file(&one(0, 8, "[2]"), &[0; 7]),
                "the file is cut short: its header describes 8 bytes of values, 7 are there",
            ),
            (safetensors_file(&one(0, 8, "[2]"), &[0; 9]), "1 bytes follow that the header does not describe"),
            (
                safetensors_file(&one(0, 8, "[3]"), &[0; 8]),
                "the header is broken: invalid shape, data type, or offset for tensor",
            ),
            (safetensors_file(&one(4, 12, "[2]"), &[0; 12]), "the header is broken: invalid offset for tensor `x`"),
            (safetensors_file(&one(8, 0, "[2]"), &[0; 8]), "the header is broken: invalid offset for tensor `x`"),
            (safetensors_file(&two("\"y\""), &[0; 12]), "the header is broken: invalid offset for tensor `y`"),
            (safetensors_file(&two("\"x\""), &[0; 12]), "the header is broken: `x` is there twice"),
            (
                safetensors_file(&one(0, 8, "[4294967296,4294967296,4294967296]"), &[0; 8]),
                "the header is broken: overflow computing buffer size from shape and/or element type",
            ),
            (
                safetensors_file(&one(0, 1 << 60, "[288230376151711744]"), &[0; 8]),
                "the file is cut short: its header describes 1152921504606846976 bytes of values, 8 are there",
            ),
            (safetensors_file("{\"x\": ", &[]), "the header is broken: EOF while parsing a value"),
            (safetensors_file("[]", &[]), "the header is broken: invalid type: sequence, expected a table of tensors"),
            (safetensors_file(&"[".repeat(100_000), &[]), "the header is broken: invalid type: sequence"),
            (
                safetensors_file(&format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)), &[]),
                "the header is broken: recursion limit exceeded",
            ),
            ([&2_u64.to_le_bytes()[..], b"{\xff"].concat(), "the header is not UTF-8"),
            (
                [&(1_u64 << 60).to_le_bytes()[..], b"{}      "].concat(),
                "not a weight file, or cut short: read as safetensors its header has 1152921504606846976 bytes, but the file has 16",
            ),
            ([&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "not a weight file, or cut short"),
            (b"a text that is no weight file at all".to_vec(), "not a weight file, or cut short"),
            (b"short".to_vec(), "not a weight file: 5 bytes are too few"),
            (Vec::new(), "the file is empty"),
        ] {
            let refusal = refusal(&bytes);
            assert!(refusal.starts_with(reason), "{refusal}\n  for {reason}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = WeightFile::open(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with(": not a file"), "{error}");
        let error = WeightFile::open(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.ends_with(": there is no such file"), "{error}");
    }
}
