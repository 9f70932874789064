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

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, image, parse, tensor};
    use super::*;

    #[test]
    fn makes_a_vector_of_an_image() {
        assert_eq!(parse("global_avg_pool"), GlobalAvgPool {}.into());
        assert_eq!(GlobalAvgPool {}.output(&[image(3, 4, 5)]).unwrap(), Shape::Features(5));
        assert!(GlobalAvgPool {}.output(&[Shape::Features(5)]).is_err());
    }

    #[test]
    fn is_the_mean_of_each_channel() {
        let x = tensor(&[2, 1, 2, 2], &[1., 10., 3., 30., 5., 50., 7., 70.]);
        let y = evaluate(GlobalAvgPool {}, &x, &[]);
        assert_eq!(y.dims, [2, 2]);
        assert_near(&y.values, &[2., 20., 6., 60.]);
    }
}
