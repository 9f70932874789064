//! Frozen means bit-identical: the hash over what may not change.

use crate::engine::Kernels;
use crate::net::Net;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// SHA-256 over the names and bits of all tensors that `frozen` marks, as hexadecimal.
pub fn hash<D: Kernels>(net: &Net<D>, frozen: &[bool]) -> String {
    let mut hasher = Sha256::new();
    for (id, param) in net.graph.params.iter().enumerate().filter(|(id, _)| frozen[*id]) {
        hasher.update(param.name.as_bytes());
        for value in net.params.get(id).to_vec() {
            hasher.update(value.to_le_bytes());
        }
    }
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
