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

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;

    #[test]
    fn reads_its_size() {
        assert_eq!(parse("adaptive_avg_pool: { out: 7 }"), AdaptiveAvgPool::new(7).into());
        assert_eq!(parse("adaptive_avg_pool: { out: [1, 2] }"), AdaptiveAvgPool::new(Size([1, 2])).into());
        assert!(parse_error("adaptive_avg_pool: { out: 0 }").contains("0 is not from 1"));
    }

    #[test]
    fn the_output_has_one_size_whatever_the_inputs() {
        for size in [1, 3, 7, 13] {
            assert_eq!(AdaptiveAvgPool::new(7).output(&[image(size, size, 5)]).unwrap(), image(7, 7, 5));
        }
        assert!(shape_error(AdaptiveAvgPool::new(7), &[Shape::Features(3)]).contains("it takes an image"));
    }

    #[test]
    fn cells_are_torchs() {
        let x = tensor(&[1, 1, 5, 1], &[1., 2., 3., 4., 5.]);
        let to = |width| AdaptiveAvgPool::new(Size([1, width]));
        assert_near(&evaluate(to(2), &x, &[]).values, &[2., 4.]);
        assert_near(&evaluate(to(3), &x, &[]).values, &[1.5, 3., 4.5]);
        let narrow = tensor(&[1, 1, 2, 1], &[1., 2.]);
        assert_near(&evaluate(to(3), &narrow, &[]).values, &[1., 1.5, 2.]);
    }
}
