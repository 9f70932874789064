use super::{Kept, Layer, LayerError, Pass, Shape, exactly};
use crate::engine::{Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From feature maps to one vector of all their values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flatten {}

impl Layer for Flatten {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        Ok(Shape::Features(input.count()))
    }

    fn kept_for_backward(&self, _: &[Shape], _: Shape) -> Kept {
        Kept::NOTHING
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        _: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let samples = x.dims().first().copied().unwrap_or(1).max(1);
        Ok(x.reshape(&[samples, x.len() / samples])?)
    }
}
