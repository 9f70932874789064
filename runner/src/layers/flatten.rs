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

#[cfg(test)]
mod tests {
    use super::super::testing::{evaluate, image, parse, tensor};
    use super::*;

    #[test]
    fn makes_a_vector_of_all_values() {
        assert_eq!(parse("flatten"), Flatten {}.into());
        assert_eq!(Flatten {}.output(&[image(3, 4, 5)]).unwrap(), Shape::Features(60));
        assert_eq!(Flatten {}.output(&[Shape::Features(7)]).unwrap(), Shape::Features(7));
        let y = evaluate(Flatten {}, &tensor(&[2, 1, 2, 2], &[1., 2., 3., 4., 5., 6., 7., 8.]), &[]);
        assert_eq!((y.dims, y.values), (vec![2, 4], vec![1., 2., 3., 4., 5., 6., 7., 8.]));
    }
}
