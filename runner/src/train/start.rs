//! The values that training starts from: drawn, and in their place those that a file gives.

use super::TrainError;
use super::proof::Ledger;
use crate::engine::{Kernels, Tensor};
use crate::net::{Graph, Params};
use crate::plan::Plan;
use crate::random::{Key, Purpose};
use crate::weights::{self, LoadReport, WeightFile, init};

#[cfg(test)]
mod tests;

/// The values that training starts from.
#[derive(Debug, Clone)]
pub struct Start {
    /// By parameter, in memory order.
    pub values: Vec<Vec<f32>>,
    /// What was done, for a person.
    pub told: String,
    /// What was done, tensor by tensor.
    pub ledger: Ledger,
}

impl Start {
    /// Draws the values, and reads those that the plan's weights have.
    ///
    /// # Errors
    /// Where the file cannot be read any more, or is a damaged checkpoint.
    pub fn of(plan: &Plan) -> Result<Self, TrainError> {
        let how = plan.spec.backbone.as_ref().map(|backbone| backbone.init).unwrap_or_default();
        let key = Key::new(plan.spec.seed, Purpose::Init);
        let draw = |param: &crate::net::Param| init::draw(&param.def, how, key.named(&param.name));
        let mut values: Vec<Vec<f32>> = plan.graph.params.iter().map(draw).collect();
        let mut ledger = Ledger::drawn(&plan.graph, &values, plan.phases.first());
        let mut told = "random".to_owned();
        if let Some(report) = &plan.weights {
            intact(report)?;
            for (param, read) in weights::report::read(&report.file, &plan.graph, report)? {
                values[param] = read;
            }
            ledger.loaded(&plan.graph, &values, report);
            told = format!("{}: {report}", report.file.display());
        }
        Ok(Start { values, told, ledger })
    }

    /// Moves the values to a device.
    pub fn params<D: Kernels>(self, device: &D, graph: &Graph) -> Result<Params<D>, TrainError> {
        let tensors = graph.params.iter().zip(self.values);
        let tensors = tensors.map(|(param, values)| Tensor::from_vec(device, values, &param.def.dims));
        Ok(Params::new(tensors.collect::<Result<_, _>>()?))
    }
}

/// An error where a run's checkpoint is damaged; other files need not carry a checksum.
fn intact(report: &LoadReport) -> Result<(), TrainError> {
    if report.run.is_some() {
        WeightFile::open_whole(&report.file)?;
    }
    Ok(())
}
