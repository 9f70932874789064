use super::{Kept, Layer, LayerError, Pass, Shape};
use crate::engine::{Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Several activations side by side: their channels in one image, or their features in one vector.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concat {
    /// What comes after the entry above: places of earlier entries of the same list, from 0.
    pub with: Vec<usize>,
}

impl Layer for Concat {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [first, others @ ..] = inputs else {
            return Err(LayerError::Shape("it needs an input".into()));
        };
        others.iter().try_fold(*first, |joined, other| match (joined, *other) {
            (Shape::Features(a), Shape::Features(b)) => Ok(Shape::Features(a + b)),
            (Shape::Image { height, width, channels }, Shape::Image { height: h, width: w, channels: more })
                if (height, width) == (h, w) =>
            {
                Ok(Shape::Image { height, width, channels: channels + more })
            }
            _ => Err(LayerError::Shape(format!("{first} and {other} cannot be put side by side"))),
        })
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
        Ok(D::concat(pass.tape, inputs)?)
    }
}
