//! Checkpoints: weights, optimizer state and position, in one safetensors file.

use super::TrainError;
use super::average::{self, Average, Whose};
use super::optimizer::{self, State};
use super::state::{Position, RunState};
use crate::engine::{EngineError, Kernels, Tensor};
use crate::net::{Graph, Net, Param, Params};
use crate::weights::save::{NamedTensor, Precision, save};
use crate::weights::{WeightFile, WeightsError, layout};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

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
    /// Where the run is, for going on. Weights that are kept for use have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunState>,
}

const ABOUT: &str = "runner";

/// The steps that the optimizer took with each parameter, by its name.
pub const OPTIMIZER_STEPS: &str = "optimizer_steps";

/// Writes weights and, where given, what the optimizer remembers and their average. Without the optimizer
/// the file is for use, not for going on, and has no auxiliary heads.
pub fn write<D: Kernels>(
    path: &Path,
    net: &Net<D>,
    optimizer: Option<&State<D>>,
    average: Option<&Average<D>>,
    about: &About,
) -> Result<(), TrainError> {
    let mut tensors = weights(net, optimizer.is_some())?;
    let mut steps = BTreeMap::new();
    for (&id, memory) in optimizer.iter().flat_map(|state| state.memory()) {
        let param = &net.graph.params[id];
        steps.insert(param.name.clone(), memory.steps);
        for (slot, tensor) in memory.tensors.iter().enumerate() {
            let name = optimizer::slot_name(slot, param);
            tensors.push(NamedTensor { name, ..NamedTensor::of_param(param, &tensor.read()?) });
        }
    }
    for (param, tensor) in average.iter().flat_map(|average| net.graph.params.iter().zip(average.tensors())) {
        let name = format!("{}{}", average::PREFIX, param.name);
        tensors.push(NamedTensor { name, ..NamedTensor::of_param(param, &tensor.read()?) });
    }
    let metadata = BTreeMap::from([(ABOUT.to_owned(), json(about)), (OPTIMIZER_STEPS.to_owned(), json(&steps))]);
    save(path, &tensors, &metadata, Precision::Float32)?;
    Ok(())
}

/// Writes all of a net's weights, auxiliary heads included, and nothing else.
pub fn write_params<D: Kernels>(path: &Path, net: &Net<D>, about: &About) -> Result<(), TrainError> {
    save(path, &weights(net, true)?, &BTreeMap::from([(ABOUT.to_owned(), json(about))]), Precision::Float32)?;
    Ok(())
}

/// The weights of a net, as files have them.
fn weights<D: Kernels>(net: &Net<D>, auxiliary: bool) -> Result<Vec<NamedTensor<'static>>, EngineError> {
    let params = net.graph.params.iter().zip(net.params.tensors());
    let wanted = params.filter(|(param, _)| auxiliary || param.node < net.graph.own_nodes());
    wanted.map(|(param, tensor)| Ok(NamedTensor::of_param(param, &tensor.read()?))).collect()
}

/// What a checkpoint says besides tensors; `None` where the file is no checkpoint.
pub fn about(file: &WeightFile) -> Option<About> {
    serde_json::from_str(file.metadata().get(ABOUT)?).ok()
}

/// All parameters of a net.
pub fn read_params<D: Kernels>(file: &mut WeightFile, device: &D, graph: &Graph) -> Result<Params<D>, TrainError> {
    let mut tensors = Vec::with_capacity(graph.params.len());
    for param in &graph.params {
        tensors.push(Tensor::from_vec(device, read_param(file, param)?, &param.def.dims)?);
    }
    Ok(Params::new(tensors))
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
