//! The values that a pickle of a state dict is made of, and the only names that it may call.

use crate::weights::Dtype;
use crate::weights::error::{Fault, invalid};
use std::rc::Rc;

/// A value on the machine's stack.
#[derive(Debug, Clone)]
pub enum Value {
    None,
    Bool(bool),
    Int(i128),
    Float,
    Bytes,
    Text(Rc<str>),
    Global(Global),
    /// A place in the [`Heap`]: by place, so that nesting however deep needs no recursion.
    Object(usize),
}

/// What lies in the heap.
#[derive(Debug)]
pub enum Object {
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Storage(Storage),
    Tensor(Tensor),
}

/// The most items that calls may copy from one object into another.
const MAX_COPIED: usize = 1_000_000;

/// The most arguments and dimensions that anything known here takes.
const MAX_ITEMS: usize = 16;

/// All objects of a pickle.
#[derive(Debug, Default)]
pub struct Heap {
    objects: Vec<Object>,
    copied: usize,
}

/// A run of values, kept outside of the pickle under a key.
#[derive(Debug, Clone)]
pub struct Storage {
    pub key: Rc<str>,
    pub dtype: Dtype,
    pub count: u64,
}

/// A view into a storage.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub storage: Storage,
    pub offset: usize,
    pub dims: Vec<usize>,
    pub strides: Vec<usize>,
}

/// The names that a pickle may mention.
#[derive(Debug, Clone, Copy)]
pub enum Global {
    Dict,
    DefaultDict,
    List,
    Size,
    RebuildTensor,
    RebuildParameter,
    StorageType(Dtype),
}

impl Global {
    pub fn named(module: &str, name: &str) -> Result<Global, Fault> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => Global::Dict,
            ("collections", "defaultdict") => Global::DefaultDict,
            ("builtins" | "__builtin__", "list") => Global::List,
            ("torch", "Size") => Global::Size,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", name) if storage_type(name).is_some() => {
                Global::StorageType(storage_type(name).unwrap_or(Dtype::F32))
            }
            _ => {
                return invalid(format!(
                    "the pickle calls `{module}.{name}`, which no state dict needs: it is not run \
                     (save `model.state_dict()` rather than the model)"
                ));
            }
        })
    }
}

fn storage_type(name: &str) -> Option<Dtype> {
    let other = |name, bits| Some(Dtype::Other { name, bits });
    match name.strip_suffix("Storage")? {
        "Half" => Some(Dtype::F16),
        "BFloat16" => Some(Dtype::Bf16),
        "Float" => Some(Dtype::F32),
        "Double" => Some(Dtype::F64),
        "Long" => Some(Dtype::I64),
        "Int" => other("int32", 32),
        "Short" => other("int16", 16),
        "Char" => other("int8", 8),
        "Byte" => other("uint8", 8),
        "Bool" => other("bool", 8),
        _ => None,
    }
}

impl Heap {
    pub fn put(&mut self, object: Object) -> Value {
        self.objects.push(object);
        Value::Object(self.objects.len() - 1)
    }

    pub fn get(&self, value: &Value) -> Option<&Object> {
        match value {
            Value::Object(place) => self.objects.get(*place),
            _ => None,
        }
    }

    pub fn get_mut(&mut self, value: &Value) -> Option<&mut Object> {
        match value {
            Value::Object(place) => self.objects.get_mut(*place),
            _ => None,
        }
    }

    /// The items of a tuple or list.
    pub fn items(&self, value: &Value) -> Option<&[Value]> {
        match self.get(value)? {
            Object::Tuple(items) | Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// Calls one of the known names.
    pub fn call(&mut self, global: Global, arguments: &Value) -> Result<Value, Fault> {
        let Some(arguments) = self.items(arguments).filter(|items| items.len() <= MAX_ITEMS).map(<[Value]>::to_vec)
        else {
            return invalid("the pickle is broken: a call without arguments");
        };
        match (global, arguments.as_slice()) {
            (Global::Dict, []) | (Global::DefaultDict, [] | [_]) => Ok(self.put(Object::Dict(Vec::new()))),
            (Global::Dict, [pairs]) => {
                let pairs = self.pairs(pairs)?;
                Ok(self.put(Object::Dict(pairs)))
            }
            (Global::List, []) => Ok(self.put(Object::List(Vec::new()))),
            (Global::Size, [dims]) => Ok(dims.clone()),
            (Global::RebuildParameter, [tensor, ..]) => Ok(tensor.clone()),
            (Global::RebuildTensor, [storage, offset, dims, strides, ..]) => {
                let tensor = self.tensor(storage, offset, dims, strides)?;
                Ok(self.put(Object::Tensor(tensor)))
            }
            _ => invalid(format!("the pickle is broken: {global:?} with {} arguments", arguments.len())),
        }
    }

    /// A dict's items, from a list of pairs: Python 2 wrote ordered dicts so.
    fn pairs(&mut self, list: &Value) -> Result<Vec<(Value, Value)>, Fault> {
        self.copied += self.items(list).map_or(0, <[Value]>::len);
        if self.copied > MAX_COPIED {
            return invalid("the pickle makes dicts without end");
        }
        let pair = |pair| match self.items(pair) {
            Some([key, value]) => Some((key.clone(), value.clone())),
            _ => None,
        };
        match self.items(list).and_then(|list| list.iter().map(pair).collect()) {
            Some(pairs) => Ok(pairs),
            None => invalid("the pickle is broken: a dict from something that is no list of pairs"),
        }
    }

    fn tensor(&self, storage: &Value, offset: &Value, dims: &Value, strides: &Value) -> Result<Tensor, Fault> {
        let sizes = |value| {
            let items = self.items(value).filter(|items| items.len() <= MAX_ITEMS)?;
            items.iter().map(size).collect::<Option<Vec<usize>>>()
        };
        match (self.get(storage), size(offset), sizes(dims), sizes(strides)) {
            (Some(Object::Storage(storage)), Some(offset), Some(dims), Some(strides)) => {
                Ok(Tensor { storage: storage.clone(), offset, dims, strides })
            }
            _ => invalid("the pickle is broken: a tensor with nonsense for a storage, offset, shape or stride"),
        }
    }

    /// Resolves a persistent id: `('storage', type, key, device, count)`, in the legacy format with
    /// one item more for a view into another storage.
    pub fn storage(&mut self, id: &Value) -> Result<Value, Fault> {
        let storage = match self.items(id) {
            Some(
                [Value::Text(kind), Value::Global(Global::StorageType(dtype)), Value::Text(key), _, count, view @ ..],
            ) if &**kind == "storage" => {
                if !matches!(view, [] | [Value::None]) {
                    return invalid("storages that are views of others (torch before 0.4) are not read");
                }
                let Some(count) = size(count) else { return invalid("the pickle is broken: a storage without size") };
                Storage { key: key.clone(), dtype: *dtype, count: count as u64 }
            }
            _ => return invalid("the pickle is broken: a persistent id that names no storage"),
        };
        Ok(self.put(Object::Storage(storage)))
    }

    /// All storages.
    pub fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(storage),
            _ => None,
        })
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}
