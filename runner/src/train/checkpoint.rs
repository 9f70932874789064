//! Checkpoints: weights, optimizer state and position, in one safetensors file.

use super::TrainError;
use super::average::{self, Average, AverageState, Whose};
use super::optimizer::State;
use crate::engine::Kernels;
use crate::net::{Net, Param};
use crate::regularize::History;
use crate::weights::save::{NamedTensor, Precision, save};
use crate::weights::{WeightFile, WeightsError, layout};
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
    /// Steps done in it: the scheduler's clock.
    #[serde(default)]
    pub step_in_phase: u64,
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
    /// Whose weights these are.
    #[serde(default)]
    pub weights: Whose,
    /// What is known of the average of the weights, whose tensors are beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<AverageState>,
    /// What the epochs of the phase came to.
    #[serde(default)]
    pub history: History,
}

const ABOUT: &str = "runner";

/// Writes weights and, where given, what the optimizer remembers and their average. Without the optimizer
/// the file is for use, not for going on, and has no auxiliary heads.
pub fn write<D: Kernels>(
    path: &Path,
    net: &Net<D>,
    optimizer: Option<&State<D>>,
    average: Option<&Average<D>>,
    about: &About,
) -> Result<(), TrainError> {
    let mut tensors: Vec<NamedTensor> = net
        .graph
        .params
        .iter()
        .zip(net.params.tensors())
        .filter(|(param, _)| optimizer.is_some() || param.node < net.graph.own_nodes())
        .map(|(param, tensor)| NamedTensor::of_param(param, &tensor.to_vec()))
        .collect();
    let mut steps = BTreeMap::new();
    for (&id, memory) in optimizer.iter().flat_map(|state| state.memory()) {
        let param = &net.graph.params[id];
        steps.insert(param.name.clone(), memory.steps);
        for (slot, tensor) in memory.tensors.iter().enumerate() {
            let name = format!("optimizer.{slot}.{}", param.name);
            tensors.push(NamedTensor { name, ..NamedTensor::of_param(param, &tensor.to_vec()) });
        }
    }
    for (param, tensor) in average.iter().flat_map(|average| net.graph.params.iter().zip(average.tensors())) {
        let name = format!("{}{}", average::PREFIX, param.name);
        tensors.push(NamedTensor { name, ..NamedTensor::of_param(param, &tensor.to_vec()) });
    }
    let metadata = BTreeMap::from([(ABOUT.to_owned(), json(about)), ("optimizer_steps".to_owned(), json(&steps))]);
    save(path, &tensors, &metadata, Precision::Float32)?;
    Ok(())
}

/// What a checkpoint says besides tensors; `None` where the file is no checkpoint.
pub fn about(file: &WeightFile) -> Option<About> {
    serde_json::from_str(file.metadata().get(ABOUT)?).ok()
}

/// The values of a parameter, in memory order.
pub fn read_param(file: &mut WeightFile, param: &Param) -> Result<Vec<f32>, WeightsError> {
    read_prefixed(file, "", param)
}

/// The values of what stands under a parameter's name with a prefix, in memory order.
pub fn read_prefixed(file: &mut WeightFile, prefix: &str, param: &Param) -> Result<Vec<f32>, WeightsError> {
    let name = format!("{prefix}{}", param.name);
    let values = file.read(&name)?;
    if values.len() != param.def.count() {
        let reason = format!("`{name}` has {} values where the net has {}", values.len(), param.def.count());
        return Err(WeightsError::File { path: file.path().display().to_string(), reason });
    }
    Ok(layout::to_memory(&param.def, &values))
}

/// Plain structs of strings and numbers: they always have a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
