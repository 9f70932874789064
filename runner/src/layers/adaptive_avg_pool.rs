use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Kernels, Tensor};
use crate::spec::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The means of a grid of cells that covers the image: the output has the same size whatever the
/// input's. Cells are those of torch's `adaptive_avg_pool2d`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAvgPool {
    /// Height and width of the output.
    #[serde(deserialize_with = "arguments::pixels")]
    pub out: Size,
}

impl AdaptiveAvgPool {
    /// To this height and width.
    pub fn new(out: impl Into<Size>) -> Self {
        AdaptiveAvgPool { out: out.into() }
    }
}

impl Layer for AdaptiveAvgPool {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        let (_, channels) = input.image()?;
        let Size([height, width]) = self.out;
        Ok(Shape::Image { height, width, channels })
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
        Ok(D::adaptive_avg_pool(pass.tape, x, self.out.0)?)
    }
}
