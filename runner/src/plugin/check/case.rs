//! A layer over inputs of certain shapes.

use super::Failure;
use super::pass::{Mode, Pass};
use super::tensor::{Signs, Tensor, key};
use crate::plugin::{Instance, Parameter, PluginError};
use serde_json::Value;
use std::sync::Arc;

/// Samples of a batch.
pub const BATCH: usize = 3;

/// A layer over inputs of shapes that it takes.
#[derive(Debug, Clone)]
pub struct Case {
    pub(super) arguments: Value,
    pub(super) instance: Arc<Instance>,
    /// By input, for one sample.
    pub(super) inputs: Vec<Vec<usize>>,
    /// For one sample.
    pub(super) output: Vec<usize>,
    pub(super) parameters: Vec<Parameter>,
}

/// Inputs and parameters.
#[derive(Debug, Clone)]
pub struct Operands {
    /// The inputs, then the parameters.
    pub tensors: Vec<Tensor>,
    pub inputs: usize,
}

impl Case {
    /// Random inputs and parameters.
    pub fn operands(&self, signs: Signs, seed: u64) -> Operands {
        let key = |number: usize| key("operands").with(seed).with(number as u64);
        let input = |(i, dims): (usize, &Vec<usize>)| Tensor::input(i, batch_of(dims), signs, key(i));
        let inputs: Vec<Tensor> = self.inputs.iter().enumerate().map(input).collect();
        let of_parameters = self.parameters.iter().zip(inputs.len()..);
        let parameters = of_parameters.map(|(parameter, i)| Tensor::parameter(parameter, key(i)));
        Operands { inputs: inputs.len(), tensors: inputs.iter().cloned().chain(parameters).collect() }
    }

    /// Computes the output.
    pub fn forward<'a>(&'a self, operands: &'a Operands, mode: Mode) -> Result<Pass<'a>, PluginError> {
        Pass::forward(self, operands, mode)
    }

    /// The same with another instance.
    pub fn anew(&self) -> Result<Self, PluginError> {
        let instance = Arc::new(Instance::create(self.instance.kind(), &self.arguments)?);
        Ok(Case { instance, ..self.clone() })
    }

    /// The number of values of all operands and of the output.
    pub fn size(&self) -> usize {
        let values = |dims: &[usize]| dims.iter().product::<usize>();
        let parameters: usize = self.parameters.iter().map(|parameter| values(&parameter.dims)).sum();
        BATCH * (self.inputs.iter().map(|dims| values(dims)).sum::<usize>() + values(&self.output)) + parameters
    }

    /// `arguments {"size":2}, input 8x8x4`
    pub fn description(&self) -> String {
        let shapes: Vec<String> = self.inputs.iter().map(|dims| shape(dims)).collect();
        let s = if shapes.len() == 1 { "" } else { "s" };
        format!("arguments {}, input{s} {}, a batch of {BATCH}", self.arguments, shapes.join(", "))
    }

    /// The same with what the inputs hold and the mode.
    pub fn described(&self, signs: Signs, mode: Mode) -> String {
        let values = match signs {
            Signs::Both => "values of both signs",
            Signs::Positive => "positive values",
        };
        let mode = if mode.training { "training" } else { "evaluation" };
        format!("{}, {values}, {mode}", self.description())
    }

    /// Does something with inputs of either kind; a fault is told with what it was found with.
    pub fn each(
        &self,
        mode: Mode,
        mut run: impl FnMut(&Operands, Signs) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (seed, signs) in [(0, Signs::Both), (1, Signs::Positive)] {
            run(&self.operands(signs, seed), signs).map_err(|failure| failure.with(|| self.described(signs, mode)))?;
        }
        Ok(())
    }
}

/// The dimensions over a batch.
pub fn batch_of(dims: &[usize]) -> Vec<usize> {
    [&[BATCH], dims].concat()
}

/// `8x8x4`
pub fn shape(dims: &[usize]) -> String {
    dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}
