//! Hashes over what kept rows depend on.

use crate::engine::{EngineError, Kernels};
use crate::hex::hex;
use crate::le_bytes::le_bytes;
use crate::net::{Net, NodeId};
use crate::plan::Plan;
use sha2::{Digest, Sha256};

/// A hash over what the activations at a node depend on besides the image and what is drawn for it: the layers
/// and tensors before it, how images come to their form, the program and the vectors that it computes with.
pub fn of_prefix<D: Kernels>(device: &D, plan: &Plan, net: &Net<D>, at: NodeId) -> Result<String, EngineError> {
    let mut hash = Sha256::new();
    text(&mut hash, env!("CARGO_PKG_VERSION"));
    text(&mut hash, &device.rounding());
    text(&mut hash, &format!("{:?} {:?}", plan.normalize, plan.spec.data.image));
    for plugin in &plan.plugins {
        text(&mut hash, &plugin.sha256);
    }
    let runs = |node: NodeId| node < at && net.graph.runs(node);
    for (id, node) in net.graph.nodes.iter().enumerate().filter(|(id, _)| runs(*id)) {
        let layer = serde_json::to_string(&node.layer).unwrap_or_default();
        text(&mut hash, &format!("{id} {} {layer} {:?}", node.layer.name(), node.inputs));
    }
    let params = net.graph.params.iter().zip(net.params.tensors());
    for (param, tensor) in params.filter(|(param, _)| runs(param.node)) {
        text(&mut hash, &param.name);
        hash.update(le_bytes(&tensor.read()?));
    }
    Ok(hex(&hash.finalize()))
}

/// A hash over what augmented draws of an image depend on besides it and its place.
pub fn of_draws(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    text(&mut hash, &plan.spec.seed.to_string());
    text(&mut hash, &serde_json::to_string(&plan.spec.augmentation.train).unwrap_or_default());
    hex(&hash.finalize())
}

/// The length first, so that no two rows of texts are the same bytes.
fn text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}
