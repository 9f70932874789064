use super::{Kept, Layer, LayerError, Pass, Shape, exactly};
use crate::engine::{Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mean of each channel over the whole image: from feature maps to a vector of features
/// (Lin et al. 2014).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlobalAvgPool {}

impl Layer for GlobalAvgPool {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        let (_, channels) = input.image()?;
        Ok(Shape::Features(channels))
    }

    fn kept_for_backward(&self, _: &[Shape], _: Shape) -> Kept {
        Kept::NOTHING
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let [samples, _, _, channels] = *exactly(x.dims())?;
        Ok(D::adaptive_avg_pool(pass.tape, x, [1, 1])?.reshape(&[samples, channels])?)
    }
}
