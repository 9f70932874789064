//! The legacy format: five pickles in a row (magic number, protocol, facts about the machine, the
//! state dict, the storages' keys), then each storage: its count in eight bytes, its values.

use super::objects::{Heap, Object, Storage, Value};
use super::{pickle, state_dict};
use crate::weights::Dtype;
use crate::weights::error::{Fault, invalid};
use crate::weights::place::{Bytes, Place};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

/// What the first pickle holds.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// Reads which tensors a file holds, and where.
pub fn read(file: &mut File, file_len: u64) -> Result<IndexMap<String, Place>, Fault> {
    file.seek(SeekFrom::Start(0))?;
    let mut input = BufReader::new(file);
    if !matches!(pickle::run(&mut input)?, (_, Value::Int(MAGIC))) {
        return invalid("a pickle, but not one of torch");
    }
    match pickle::run(&mut input)? {
        (_, Value::Int(1001)) => {}
        _ => return invalid("a torch file of a protocol other than 1001"),
    }
    let (facts, machine) = pickle::run(&mut input)?;
    check_byte_order(&facts, &machine)?;
    let (heap, value) = pickle::run(&mut input)?;
    let (keys_heap, keys) = pickle::run(&mut input)?;
    let storages = locate(&mut input, file_len, &heap, &keys_heap, &keys)?;
    state_dict::tensors(&heap, &value, |storage| match storages.get(&storage.key) {
        Some(&(bytes, count, dtype)) if count == storage.count && dtype == storage.dtype => Ok(bytes),
        Some((_, count, dtype)) => invalid(format!(
            "its storage has {count} values of {dtype}, {} of {} are wanted",
            storage.count, storage.dtype
        )),
        None => invalid("its storage is not in the file"),
    })
}

/// `sys_info['little_endian']` is true wherever torch ran; Python 2 wrote no other.
fn check_byte_order(heap: &Heap, machine: &Value) -> Result<(), Fault> {
    match heap.get(machine) {
        Some(Object::Dict(facts))
            if facts.iter().any(|(key, value)| {
                matches!((key, value), (Value::Text(key), Value::Bool(true)) if &**key == "little_endian")
            }) =>
        {
            Ok(())
        }
        _ => invalid("only files in little-endian byte order are read"),
    }
}

type Storages = HashMap<Rc<str>, (Bytes, u64, Dtype)>;

/// Walks over the storages, from where the pickles end.
fn locate(
    input: &mut BufReader<&mut File>,
    file_len: u64,
    heap: &Heap,
    keys_heap: &Heap,
    keys: &Value,
) -> Result<Storages, Fault> {
    let Some(keys) = keys_heap.items(keys) else { return invalid("the list of storages is missing") };
    let known: HashMap<&str, &Storage> = heap.storages().map(|storage| (&*storage.key, storage)).collect();
    let mut storages = HashMap::new();
    let mut at = input.stream_position()?;
    for key in keys {
        let Value::Text(key) = key else { return invalid("the key of a storage is no text") };
        let Some(storage) = known.get(&**key) else {
            return invalid(format!("storage `{key}` is in the file, but no tensor says its type"));
        };
        input.seek(SeekFrom::Start(at))?;
        let mut count = [0; 8];
        input.read_exact(&mut count)?;
        let count = u64::from_le_bytes(count);
        let Some(len) = count.checked_mul(storage.dtype.bits() as u64 / 8) else {
            return invalid(format!("storage `{key}` claims {count} values"));
        };
        storages.insert(key.clone(), (Bytes::plain(at + 8, len, file_len)?, count, storage.dtype));
        at += 8 + len;
    }
    Ok(storages)
}
