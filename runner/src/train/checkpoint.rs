//! Checkpoints: weights, optimizer state and position, in one safetensors file.

use super::TrainError;
use super::optimizer::State;
use crate::engine::Kernels;
use crate::layers::ParamDef;
use crate::net::Net;
use crate::weights::{Dtype, NamedTensor, layout, save};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The phase's place.
    pub phase: usize,
    /// Epochs done in it.
    pub epoch_in_phase: usize,
    /// Epochs done in all.
    pub epoch: usize,
    /// Steps done in all.
    pub step: u64,
}

/// What a checkpoint says besides tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The program's version.
    pub version: String,
    /// Where the run is.
    pub position: Position,
    /// The classes' names, in the order of outputs.
    pub classes: Vec<String>,
    /// Value of the watched metric with these weights, if one was taken.
    pub watched: Option<f64>,
}

const ABOUT: &str = "runner";

/// Writes weights and, where given, what the optimizer remembers.
pub fn write<D: Kernels>(path: &Path, net: &Net<D>, optimizer: Option<&State<D>>, about: &About) -> Result<(), TrainError> {
    let mut tensors: Vec<NamedTensor> = net
        .graph
        .params
        .iter()
        .zip(net.params.tensors())
        .map(|(param, tensor)| in_file_order(param.name.clone(), &param.def, &tensor.to_vec()))
        .collect();
    let mut steps = BTreeMap::new();
    for (&id, memory) in optimizer.iter().flat_map(|state| state.memory()) {
        let param = &net.graph.params[id];
        steps.insert(param.name.clone(), memory.steps);
        for (slot, tensor) in memory.tensors.iter().enumerate() {
            let name = format!("optimizer.{slot}.{}", param.name);
            tensors.push(in_file_order(name, &param.def, &tensor.to_vec()));
        }
    }
    let metadata = BTreeMap::from([(ABOUT.to_owned(), json(about)), ("optimizer_steps".to_owned(), json(&steps))]);
    save::save(path, &tensors, &metadata, Dtype::F32)?;
    Ok(())
}

fn in_file_order(name: String, def: &ParamDef, values: &[f32]) -> NamedTensor {
    NamedTensor { name, dims: layout::file_dims(def), values: layout::to_file(def, values) }
}

/// Plain structs of strings and numbers: they always have a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
