use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Interpolation, Kernels, Tensor};
use crate::spec::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most pixels a side that an image may be brought to.
const MAX_SIDE: usize = 1 << 14;

/// A larger image: each side becomes this many times as long. As torch's `Upsample`.
///
/// In a decoder it stands before a convolution, which then leaves no checkerboard as a transposed
/// one may (Odena et al. 2016).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upsample {
    /// How many times as high and wide.
    #[serde(deserialize_with = "arguments::pixels")]
    pub factor: Size,
    /// Where new pixels come from.
    #[serde(default)]
    pub mode: UpsampleMode,
}

/// Where the pixels of a larger image come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpsampleMode {
    /// The nearest pixel.
    #[default]
    Nearest,
    /// The four pixels around, by their distance (torch's `align_corners=False`).
    Bilinear,
}

impl Upsample {
    /// To the nearest pixel.
    pub fn new(factor: impl Into<Size>) -> Self {
        Upsample { factor: factor.into(), mode: UpsampleMode::default() }
    }
}

impl Layer for Upsample {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        let ([height, width], channels) = input.image()?;
        let Size([down, across]) = self.factor;
        let (height, width) = (height * down, width * across);
        if height.max(width) > MAX_SIDE {
            return Err(LayerError::Shape(format!("an image of {height}x{width} is larger than {MAX_SIDE} a side")));
        }
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
        let interpolation = match self.mode {
            UpsampleMode::Nearest => Interpolation::Nearest,
            UpsampleMode::Bilinear => Interpolation::Bilinear,
        };
        Ok(D::upsample(pass.tape, x, self.factor.0, interpolation)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("upsample: { factor: 2 }"), Upsample::new(2).into());
        let bilinear = Upsample { mode: UpsampleMode::Bilinear, ..Upsample::new(Size([2, 3])) };
        assert_eq!(parse("upsample: { factor: [2, 3], mode: bilinear }"), bilinear.into());
        assert!(parse_error("upsample").contains("`upsample` needs `factor`"));
        assert!(parse_error("upsample: { factor: 0 }").contains("0 is not from 1 to 4096"));
        assert!(parse_error("upsample: { factor: 2, mode: cubic }").contains("`bilinear`"));
    }

    #[test]
    fn output_shapes_and_what_does_not_fit() {
        assert_eq!(Upsample::new(Size([2, 3])).output(&[image(4, 5, 6)]).unwrap(), image(8, 15, 6));
        assert!(shape_error(Upsample::new(4096), &[image(9, 9, 1)]).contains("larger than 16384 a side"));
        assert!(shape_error(Upsample::new(2), &[Shape::Features(9)]).contains("takes an image"));
    }

    #[test]
    fn numbers_are_torchs() {
        let x = tensor(&[1, 2, 2, 1], &[1., 2., 3., 4.]);
        let nearest = evaluate(Upsample::new(2), &x, &[]);
        assert_eq!(nearest.dims, [1, 4, 4, 1]);
        assert_eq!(nearest.values, [1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.]);
        // torch.nn.Upsample(scale_factor=2, mode="bilinear")
        let bilinear = evaluate(Upsample { mode: UpsampleMode::Bilinear, ..Upsample::new(2) }, &x, &[]);
        let torchs = [1., 1.25, 1.75, 2., 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3., 3.25, 3.75, 4.];
        assert_near(&bilinear.values, &torchs);
    }
}
