//! The zip format: `NAME/data.pkl` beside `NAME/data/KEY`, one file a storage.

use super::objects::Storage;
use super::{pickle, state_dict};
use crate::weights::error::{Fault, invalid};
use crate::weights::place::{Bytes, Place, Source};
use indexmap::IndexMap;
use std::io::{BufReader, Read};
use zip::ZipArchive;

/// Reads which tensors an archive holds, and leaves the opened archive in `source`.
pub fn read(source: &mut Source, file_len: u64) -> Result<IndexMap<String, Place>, Fault> {
    let mut archive = ZipArchive::new(source.file.try_clone()?)?;
    let Some(pickle) = archive.file_names().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl")) else {
        return invalid("a zip archive, but not one of torch: there is no `data.pkl` in it");
    };
    let folder = pickle.trim_end_matches("data.pkl").to_owned();
    check_byte_order(&mut archive, &folder)?;
    let (heap, value) = pickle::run(&mut BufReader::new(archive.by_name(&format!("{folder}data.pkl"))?))?;
    let tensors = state_dict::tensors(&heap, &value, |storage| locate(&mut archive, &folder, storage, file_len))?;
    source.archive = Some(archive);
    Ok(tensors)
}

fn locate(
    archive: &mut ZipArchive<std::fs::File>,
    folder: &str,
    storage: &Storage,
    file_len: u64,
) -> Result<Bytes, Fault> {
    let name = format!("{folder}data/{}", storage.key);
    let Some(index) = archive.index_for_name(&name) else {
        return invalid(format!("the archive has no `{name}`"));
    };
    let entry = archive.by_index(index)?;
    let (len, packed) = (entry.size(), entry.compressed_size());
    let wanted = storage.count.checked_mul(storage.dtype.bits() as u64 / 8);
    if wanted != Some(len) {
        return invalid(format!("`{name}` has {len} bytes, {} values of {} are wanted", storage.count, storage.dtype));
    }
    Bytes::zipped(index, len, packed.min(file_len))
}

/// Archives of torch 2.1 and later say their byte order; all before are little-endian.
fn check_byte_order(archive: &mut ZipArchive<std::fs::File>, folder: &str) -> Result<(), Fault> {
    let Some(index) = archive.index_for_name(&format!("{folder}byteorder")) else { return Ok(()) };
    let mut order = Vec::new();
    archive.by_index(index)?.take(16).read_to_end(&mut order)?;
    if order == b"little" { Ok(()) } else { invalid("only files in little-endian byte order are read") }
}
