use super::{Kept, Layer, LayerError, Pass, Shape, exactly};
use crate::engine::{Activation, Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rectified linear unit with a ceiling: `min(max(x, 0), 6)` (Howard et al. 2017).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relu6 {}

impl Layer for Relu6 {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        Ok(*input)
    }

    fn activation(&self) -> Option<Activation> {
        Some(Activation::Relu6)
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn kept_for_backward(&self, _: &[Shape], _: Shape) -> Kept {
        Kept { inputs: false, output: true, extra: 0 }
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        Ok(D::activate(pass.tape, x, Activation::Relu6)?)
    }
}
