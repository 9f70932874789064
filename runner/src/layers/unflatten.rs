use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Kernels, Tensor};
use crate::spec::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From one vector to feature maps: what `flatten` does, undone.
///
/// `unflatten: { channels: 64, size: 6 }` makes a 6x6 image of 64 channels of 2304 features. Values
/// are taken in the order in which images lie in memory: row by row, the channels of a pixel side by
/// side. A weight file has the linear layer before it in that order too (torch's `Unflatten` takes
/// channel by channel).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unflatten {
    /// Channels of the image.
    #[serde(deserialize_with = "arguments::count")]
    pub channels: usize,
    /// Height and width of the image.
    #[serde(deserialize_with = "arguments::pixels")]
    pub size: Size,
}

impl Layer for Unflatten {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        let Shape::Features(features) = *input else {
            return Err(LayerError::Shape("it takes a vector of features, not an image".into()));
        };
        let Size([height, width]) = self.size;
        let image = Shape::Image { height, width, channels: self.channels };
        if image.count() == features {
            return Ok(image);
        }
        Err(LayerError::Shape(format!("an image of {image} has {} values, and there are {features}", image.count())))
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
        let samples = x.dims().first().copied().unwrap_or(1);
        let Size([height, width]) = self.size;
        Ok(x.reshape(&[samples, height, width, self.channels])?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Flatten;
    use super::super::testing::{evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;

    fn unflatten() -> Unflatten {
        Unflatten { channels: 2, size: Size([3, 1]) }
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("unflatten: { channels: 2, size: [3, 1] }"), unflatten().into());
        assert!(parse_error("unflatten: { channels: 2 }").contains("missing field `size`"));
        assert!(parse_error("unflatten: { channels: 0, size: 2 }").contains("0 is not from 1 to 65536"));
    }

    #[test]
    fn undoes_flatten() {
        assert_eq!(unflatten().output(&[Shape::Features(6)]).unwrap(), image(3, 1, 2));
        let x = tensor(&[2, 3, 1, 2], &(0_u8..12).map(f32::from).collect::<Vec<_>>());
        let flat = evaluate(Flatten {}, &x, &[]);
        let back = evaluate(unflatten(), &tensor(&flat.dims, &flat.values), &[]);
        assert_eq!((back.dims, back.values), (vec![2, 3, 1, 2], x.to_vec()));
    }

    #[test]
    fn says_what_does_not_fit() {
        assert_eq!(shape_error(unflatten(), &[Shape::Features(7)]), "an image of 3x1x2 has 6 values, and there are 7");
        assert_eq!(shape_error(unflatten(), &[image(3, 1, 2)]), "it takes a vector of features, not an image");
    }
}
