//! Frozen means bit-identical: the hash over what may not change.

use crate::engine::{EngineError, Kernels};
use crate::hex::hex;
use crate::le_bytes::le_bytes;
use crate::net::Net;
use sha2::{Digest, Sha256};

/// SHA-256 over the names and bits of all tensors that `frozen` marks, as hexadecimal.
pub fn hash<D: Kernels>(net: &Net<D>, frozen: &[bool]) -> Result<String, EngineError> {
    let mut hasher = Sha256::new();
    for (id, param) in net.graph.params.iter().enumerate().filter(|(id, _)| frozen[*id]) {
        hasher.update(param.name.as_bytes());
        hasher.update(le_bytes(&net.params.get(id).read()?));
    }
    Ok(hex(&hasher.finalize()))
}
