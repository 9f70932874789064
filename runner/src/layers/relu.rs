use super::{Layer, LayerError, Pass, Shape};
use crate::engine::{Activation, Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rectified linear unit: `max(x, 0)`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relu {}

impl Layer for Relu {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        Ok(inputs[0])
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        Ok(D::activate(pass.tape, &inputs[0], Activation::Relu)?)
    }
}
