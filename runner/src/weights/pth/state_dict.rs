//! Finds the tensors in the value that a pickle leaves.

use super::objects::{Heap, Object, Storage, Tensor, Value};
use crate::weights::error::{Fault, invalid};
use crate::weights::place::{Bytes, Place};
use indexmap::IndexMap;
use std::rc::Rc;

/// Keys under which checkpoints keep the state dict.
const WRAPPERS: [&str; 4] = ["state_dict", "model_state_dict", "model", "net"];

/// The tensors of a state dict, which may be wrapped in a checkpoint; `bytes` says where a storage
/// lies.
pub fn tensors(
    heap: &Heap,
    value: &Value,
    mut bytes: impl FnMut(&Storage) -> Result<Bytes, Fault>,
) -> Result<IndexMap<String, Place>, Fault> {
    let mut tensors = IndexMap::new();
    for (name, tensor) in entries(heap, value)? {
        let place = bytes(&tensor.storage).and_then(|bytes| {
            Place::view(bytes, tensor.storage.dtype, tensor.offset, tensor.dims.clone(), tensor.strides.clone())
        });
        match place {
            Ok(place) => tensors.insert(name.to_string(), place),
            Err(Fault::Invalid(reason)) => return invalid(format!("tensor `{name}`: {reason}")),
            Err(fault) => return Err(fault),
        };
    }
    Ok(tensors)
}

fn entries<'a>(heap: &'a Heap, value: &Value) -> Result<Vec<(&'a Rc<str>, &'a Tensor)>, Fault> {
    let mut dict = heap.get(value);
    // One round for the dict itself and one for each wrapper; the heap may hold cycles.
    for _ in 0..=WRAPPERS.len() {
        let Some(Object::Dict(pairs)) = dict else { break };
        let tensors: Vec<_> = pairs
            .iter()
            .filter_map(|(key, value)| match (key, heap.get(value)) {
                (Value::Text(name), Some(Object::Tensor(tensor))) => Some((name, tensor)),
                _ => None,
            })
            .collect();
        if !tensors.is_empty() {
            return Ok(tensors);
        }
        let named = |wrapper: &&str| {
            pairs.iter().find(|(key, _)| matches!(key, Value::Text(key) if &**key == *wrapper)).map(|(_, value)| value)
        };
        dict = WRAPPERS.iter().find_map(named).and_then(|value| heap.get(value));
    }
    invalid("there is no state dict in it: no dict from names to tensors")
}
