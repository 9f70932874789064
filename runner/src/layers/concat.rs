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

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, image, parse, shape_error, tensor};
    use super::*;

    #[test]
    fn channels_or_features_add_up() {
        assert_eq!(parse("concat: { with: [1] }"), Concat { with: vec![1] }.into());
        let layer = Concat::default();
        assert_eq!(layer.output(&[image(2, 3, 4), image(2, 3, 5), image(2, 3, 1)]).unwrap(), image(2, 3, 10));
        assert_eq!(layer.output(&[Shape::Features(3), Shape::Features(4)]).unwrap(), Shape::Features(7));
        assert_eq!(
            shape_error(layer.clone(), &[image(2, 3, 4), image(3, 3, 4)]),
            "2x3x4 and 3x3x4 cannot be put side by side"
        );
        assert!(layer.output(&[image(2, 3, 4), Shape::Features(4)]).is_err());
    }

    #[test]
    fn pixels_stay_where_they_are() {
        let a = tensor(&[1, 1, 2, 1], &[1., 2.]);
        let b = tensor(&[1, 1, 2, 2], &[10., 11., 20., 21.]);
        let y = Trial::default().run(Concat::default(), &[a, b], &[]);
        assert_eq!((y.dims, y.values), (vec![1, 1, 2, 3], vec![1., 10., 11., 2., 20., 21.]));
    }
}
