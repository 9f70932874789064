use super::{Layer, LayerError, Layout, Pad, ParamDef, Pass, Role, Shape, arguments, exactly};
use crate::engine::{Kernels, Padding, Tensor, Window};
use crate::spec::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Two-dimensional transposed convolution, as torch's `ConvTranspose2d`: an image that gets larger
/// with the stride (Zeiler et al. 2010). Weight files have its weight as torch does: (in, out, rows,
/// columns).
///
/// The image becomes `(size - 1) * stride - padding on both sides + dilation * (kernel - 1) +
/// output_padding + 1` pixels; with `padding: same`, `size * stride`, as in TensorFlow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvTranspose2d {
    /// Output channels.
    #[serde(deserialize_with = "arguments::count")]
    pub out: usize,
    /// Height and width of the kernel.
    #[serde(deserialize_with = "arguments::pixels")]
    pub kernel: Size,
    /// Pixels of the output from one pixel of the input to the next.
    #[serde(
        default = "ConvTranspose2d::one",
        deserialize_with = "arguments::pixels",
        skip_serializing_if = "ConvTranspose2d::is_one"
    )]
    pub stride: Size,
    /// What is cut off around the output: the padding of the convolution that this is the transpose
    /// of.
    #[serde(default)]
    pub padding: Pad,
    /// Pixels added to the bottom and right, fewer than `stride`: of the sizes that a convolution
    /// brings to one, this picks.
    #[serde(default = "ConvTranspose2d::none", skip_serializing_if = "ConvTranspose2d::is_none")]
    pub output_padding: Size,
    /// Pixels from one tap of the kernel to the next.
    #[serde(
        default = "ConvTranspose2d::one",
        deserialize_with = "arguments::pixels",
        skip_serializing_if = "ConvTranspose2d::is_one"
    )]
    pub dilation: Size,
    /// Whether a learned bias is added.
    #[serde(default = "ConvTranspose2d::with_bias")]
    pub bias: bool,
}

impl ConvTranspose2d {
    /// With stride 1, no padding, and a bias.
    pub fn new(out: usize, kernel: impl Into<Size>) -> Self {
        ConvTranspose2d {
            out,
            kernel: kernel.into(),
            stride: Self::one(),
            padding: Pad::default(),
            output_padding: Self::none(),
            dilation: Self::one(),
            bias: true,
        }
    }

    fn one() -> Size {
        Size([1, 1])
    }

    fn is_one(size: &Size) -> bool {
        *size == Self::one()
    }

    fn none() -> Size {
        Size([0, 0])
    }

    fn is_none(size: &Size) -> bool {
        *size == Self::none()
    }

    fn with_bias() -> bool {
        true
    }

    /// The window of the convolution that this is the transpose of, and the size of its images.
    fn window(&self, size: [usize; 2]) -> Result<(Window, [usize; 2]), LayerError> {
        let (stride, extra) = (self.stride.0, self.output_padding.0);
        if (0..2).any(|i| extra[i] >= stride[i]) {
            let message =
                format!("`output_padding` of {} must be less than `stride`, {}", self.output_padding, self.stride);
            return Err(LayerError::Shape(message));
        }
        let larger = match self.padding {
            Pad::Same if extra != [0, 0] => {
                return Err(LayerError::Shape("with `padding: same` there is no `output_padding`".into()));
            }
            Pad::Same => [0, 1].map(|i| size[i] * stride[i]),
            Pad::Each(_) | Pad::Sides(_) => self.spread(size)?,
        };
        Ok((self.padding.window(larger, self.kernel, self.stride, self.dilation), larger))
    }

    /// The size of the output, where padding is given in pixels.
    fn spread(&self, size: [usize; 2]) -> Result<[usize; 2], LayerError> {
        let window = self.padding.window(size, self.kernel, self.stride, self.dilation);
        let Padding { top, left, bottom, right } = window.padding;
        let along = |i: usize, margin: usize| {
            let all = (size[i] - 1) * window.stride[i] + window.dilation[i] * (window.kernel[i] - 1) + 1;
            let left = (all + self.output_padding.0[i]).checked_sub(margin).filter(|left| *left > 0);
            left.ok_or_else(|| LayerError::Shape(format!("padding of {margin} leaves nothing of {all} pixels")))
        };
        Ok([along(0, top + bottom)?, along(1, left + right)?])
    }

    /// Values that flow into one output, and out of one input, through `channels` input channels.
    fn fans(&self, channels: usize) -> (usize, usize) {
        let taps: usize = self.kernel.0.iter().product();
        let apart: usize = self.stride.0.iter().product();
        ((taps * channels / apart).max(1), taps * self.out)
    }
}

impl Layer for ConvTranspose2d {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        let (size, _) = input.image()?;
        let (window, larger) = self.window(size)?;
        if window.output(larger) != Some(size) {
            let message =
                format!("no convolution with this window brings {}x{} pixels to its input", larger[0], larger[1]);
            return Err(LayerError::Shape(message));
        }
        Ok(Shape::Image { height: larger[0], width: larger[1], channels: self.out })
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let channels = inputs.first().map_or(0, |input| input.channels());
        let Size([height, width]) = self.kernel;
        let fans = self.fans(channels);
        // The weight of the convolution that this is the transpose of: files have both as (the last
        // of these, the one before, rows, columns).
        let mut params = vec![ParamDef::weight("weight", vec![height, width, self.out, channels], Layout::Conv, fans)];
        if self.bias {
            params.push(ParamDef { fans, ..ParamDef::vector("bias", self.out, Role::Bias) });
        }
        params
    }

    fn multiply_adds(&self, inputs: &[Shape], _: Shape) -> u64 {
        let count = inputs.first().map_or(0, |input| input.count()) as u64;
        let taps: usize = self.kernel.0.iter().product();
        count.saturating_mul((taps * self.out) as u64)
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let [_, height, width, _] = *exactly(x.dims())?;
        let (window, larger) = self.window([height, width])?;
        match params {
            [weight] => Ok(D::conv_transpose2d(pass.tape, x, weight, &window, larger)?),
            [weight, bias] => {
                let y = D::conv_transpose2d(pass.tape, x, weight, &window, larger)?;
                Ok(D::add_bias(pass.tape, &y, bias)?)
            }
            _ => Err(LayerError::Shape(format!("got {} parameters", params.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;
    use crate::weights::layout;

    fn doubling() -> ConvTranspose2d {
        ConvTranspose2d {
            stride: Size([2, 2]),
            padding: 1.into(),
            output_padding: Size([1, 1]),
            ..ConvTranspose2d::new(8, 3)
        }
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("conv_transpose2d: { out: 8, kernel: 3 }"), ConvTranspose2d::new(8, 3).into());
        assert_eq!(
            parse("conv_transpose2d: { out: 8, kernel: 3, stride: 2, padding: 1, output_padding: 1 }"),
            doubling().into()
        );
        let same =
            ConvTranspose2d { padding: Pad::Same, bias: false, dilation: 2.into(), ..ConvTranspose2d::new(1, 2) };
        assert_eq!(
            parse("conv_transpose2d: { out: 1, kernel: 2, padding: same, dilation: 2, bias: false }"),
            same.into()
        );
        assert!(parse_error("conv_transpose2d: { out: 8, kernel: 3, groups: 2 }").contains("unknown field `groups`"));
    }

    #[test]
    fn output_shapes_are_torchs_and_tensorflows() {
        let of = |layer: &ConvTranspose2d, input: Shape| layer.output(&[input]).unwrap();
        assert_eq!(of(&doubling(), image(7, 5, 3)), image(14, 10, 8));
        assert_eq!(
            of(&ConvTranspose2d { output_padding: Size([0, 0]), ..doubling() }, image(7, 5, 3)),
            image(13, 9, 8)
        );
        assert_eq!(
            of(&ConvTranspose2d { stride: 2.into(), ..ConvTranspose2d::new(4, 2) }, image(6, 6, 1)),
            image(12, 12, 4)
        );
        assert_eq!(
            of(&ConvTranspose2d { dilation: 2.into(), ..ConvTranspose2d::new(4, 3) }, image(6, 6, 1)),
            image(10, 10, 4)
        );
        let same = ConvTranspose2d { stride: 3.into(), padding: Pad::Same, ..ConvTranspose2d::new(4, 5) };
        assert_eq!(of(&same, image(6, 7, 2)), image(18, 21, 4));
    }

    #[test]
    fn says_what_does_not_fit() {
        let much = ConvTranspose2d { output_padding: Size([0, 2]), ..doubling() };
        assert_eq!(shape_error(much, &[image(4, 4, 1)]), "`output_padding` of 0x2 must be less than `stride`, 2x2");
        let same = ConvTranspose2d { padding: Pad::Same, ..doubling() };
        assert_eq!(shape_error(same, &[image(4, 4, 1)]), "with `padding: same` there is no `output_padding`");
        let gone = ConvTranspose2d { padding: 2.into(), ..ConvTranspose2d::new(1, 3) };
        assert_eq!(shape_error(gone, &[image(1, 9, 1)]), "padding of 4 leaves nothing of 3 pixels");
        assert!(shape_error(doubling(), &[Shape::Features(4)]).contains("takes an image"));
    }

    #[test]
    fn weights_are_ordered_as_torchs() {
        let params = ConvTranspose2d::new(3, Size([2, 1])).params(&[image(4, 4, 5)]);
        assert_eq!(layout::file_dims(&params[0]), [5, 3, 2, 1]);
        assert_eq!(params[1].dims, [3]);
        assert_eq!(doubling().multiply_adds(&[image(4, 4, 5)], image(8, 8, 8)), 4 * 4 * 5 * 9 * 8);
    }

    #[test]
    fn numbers_are_torchs() {
        // torch.nn.functional.conv_transpose2d of [[1, 2], [3, 4]] with [[1, 2], [3, 4]] and a bias of 0.5.
        let x = tensor(&[1, 2, 2, 1], &[1., 2., 3., 4.]);
        let weight = tensor(&[2, 2, 1, 1], &[1., 2., 3., 4.]);
        let bias = tensor(&[1], &[0.5]);
        let y = evaluate(ConvTranspose2d::new(1, 2), &x, &[weight.clone(), bias]);
        assert_eq!((y.dims, y.values), (vec![1, 3, 3, 1], vec![1.5, 4.5, 4.5, 6.5, 20.5, 16.5, 9.5, 24.5, 16.5]));
        let apart = ConvTranspose2d { stride: 2.into(), bias: false, ..ConvTranspose2d::new(1, 2) };
        let y = evaluate(apart, &x, &[weight]);
        assert_eq!(y.values, [1., 2., 2., 4., 3., 4., 6., 8., 3., 6., 4., 8., 9., 12., 12., 16.]);
        assert_eq!(Trial::default().error(ConvTranspose2d::new(1, 2), &[x], &[]), "got 0 parameters");
    }
}
