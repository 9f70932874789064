use super::{BatchNorm, Groups, Layer, LayerError, Layout, Pad, ParamDef, Pass, Role, Shape, arguments, exactly};
use crate::engine::{Kernels, Normalization, Tensor, Window};
use crate::spec::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Two-dimensional convolution over an image (cross-correlation, as in all frameworks).
///
/// With `groups: depthwise` each channel has kernels of its own (Chollet 2017, Howard et al. 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Output channels.
    #[serde(deserialize_with = "arguments::count")]
    pub out: usize,
    /// Height and width of the kernel.
    #[serde(deserialize_with = "arguments::pixels")]
    pub kernel: Size,
    /// Pixels from one window to the next.
    #[serde(default = "Conv2d::one", deserialize_with = "arguments::pixels", skip_serializing_if = "Conv2d::is_one")]
    pub stride: Size,
    /// Zeros around the image.
    #[serde(default)]
    pub padding: Pad,
    /// Pixels from one tap of the kernel to the next (Yu and Koltun 2016).
    #[serde(default = "Conv2d::one", deserialize_with = "arguments::pixels", skip_serializing_if = "Conv2d::is_one")]
    pub dilation: Size,
    /// How the channels are divided; each group sees its own input channels only.
    #[serde(default, skip_serializing_if = "Groups::is_one")]
    pub groups: Groups,
    /// Whether a learned bias is added.
    #[serde(default = "Conv2d::with_bias")]
    pub bias: bool,
}

impl Conv2d {
    /// A convolution with stride 1, no padding, one group, and a bias.
    pub fn new(out: usize, kernel: impl Into<Size>) -> Self {
        Conv2d {
            out,
            kernel: kernel.into(),
            stride: Self::one(),
            padding: Pad::default(),
            dilation: Self::one(),
            groups: Groups::default(),
            bias: true,
        }
    }

    /// With this stride.
    #[must_use]
    pub fn stride(self, stride: impl Into<Size>) -> Self {
        Conv2d { stride: stride.into(), ..self }
    }

    /// With this padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pad>) -> Self {
        Conv2d { padding: padding.into(), ..self }
    }

    /// With this dilation.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Size>) -> Self {
        Conv2d { dilation: dilation.into(), ..self }
    }

    /// With this many groups.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Conv2d { groups: Groups::Count(groups), ..self }
    }

    /// With a group a channel.
    #[must_use]
    pub fn depthwise(self) -> Self {
        Conv2d { groups: Groups::Depthwise, ..self }
    }

    /// Without bias, as before a batch norm.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Conv2d { bias: false, ..self }
    }

    fn one() -> Size {
        Size([1, 1])
    }

    fn is_one(size: &Size) -> bool {
        *size == Self::one()
    }

    fn with_bias() -> bool {
        true
    }

    fn window(&self, size: [usize; 2]) -> Window {
        self.padding.window(size, self.kernel, self.stride, self.dilation)
    }

    /// The output of this layer without bias, of a batch normalization after it that uses the running
    /// statistics, of a sum with `residual` after that, and of [`Pass::activation`], in one pass.
    pub fn forward_with_norm<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        weight: &Tensor<D>,
        norm: &BatchNorm,
        norm_params: &[Tensor<D>],
        residual: Option<&Tensor<D>>,
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let [_, height, width, channels] = *exactly(x.dims())?;
        let [scale, shift, mean, variance] = exactly(norm_params)?;
        let norm = Normalization { scale, shift, mean, variance, eps: norm.eps as f32 };
        let (window, groups) = (self.window([height, width]), self.groups.over(channels));
        let activation = pass.activation;
        Ok(D::conv2d_batch_norm(pass.tape, x, weight, &window, groups, &norm, residual, activation)?)
    }

    /// Values that flow into one output, and out of one input, through `channels` input channels.
    fn fans(&self, channels: usize) -> (usize, usize) {
        let Size([height, width]) = self.kernel;
        let groups = self.groups.over(channels);
        (height * width * (channels / groups), height * width * (self.out / groups))
    }
}

impl Layer for Conv2d {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        let ([height, width], channels) = input.image()?;
        let groups = self.groups.over(channels);
        if !channels.is_multiple_of(groups) {
            return Err(LayerError::Shape(format!("{channels} input channels cannot be divided into {groups} groups")));
        }
        if !self.out.is_multiple_of(groups) {
            return Err(LayerError::Shape(format!(
                "{} output channels cannot be divided into {groups} groups",
                self.out
            )));
        }
        let [height, width] = super::slide(&self.window([height, width]), [height, width])?;
        Ok(Shape::Image { height, width, channels: self.out })
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let channels = inputs.first().map_or(0, |input| input.channels());
        let Size([height, width]) = self.kernel;
        let fans = self.fans(channels);
        let dims = vec![height, width, channels / self.groups.over(channels), self.out];
        let mut params = vec![ParamDef::weight("weight", dims, Layout::Conv, fans)];
        if self.bias {
            params.push(ParamDef { fans, ..ParamDef::vector("bias", self.out, Role::Bias) });
        }
        params
    }

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        let channels = inputs.first().map_or(0, |input| input.channels());
        (output.count() as u64).saturating_mul(self.fans(channels).0 as u64)
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let [_, height, width, channels] = *exactly(x.dims())?;
        let window = self.window([height, width]);
        let groups = self.groups.over(channels);
        match params {
            [weight] => Ok(D::conv2d(pass.tape, x, weight, &window, groups)?),
            [weight, bias] => {
                let y = D::conv2d(pass.tape, x, weight, &window, groups)?;
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
    use crate::engine::Padding;

    fn output(layer: &Conv2d, input: Shape) -> Shape {
        layer.output(&[input]).unwrap()
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("conv2d: { out: 8, kernel: 3 }"), Conv2d::new(8, 3).into());
        assert_eq!(
            parse(
                "conv2d: { out: 8, kernel: [1, 7], stride: 2, padding: [0, 3], dilation: 2, groups: 4, bias: false }"
            ),
            Conv2d::new(8, Size([1, 7])).stride(2).padding([0, 3]).dilation(2).groups(4).without_bias().into()
        );
        assert_eq!(
            parse("conv2d: { out: 8, kernel: 3, padding: same, groups: depthwise }"),
            Conv2d::new(8, 3).padding(Pad::Same).depthwise().into()
        );
        let sides = Padding { top: 0, left: 1, bottom: 2, right: 0 };
        assert_eq!(
            parse("conv2d: { out: 8, kernel: 3, padding: { left: 1, bottom: 2 } }"),
            Conv2d::new(8, 3).padding(sides).into()
        );
    }

    #[test]
    fn refuses_arguments_out_of_bounds() {
        assert!(parse_error("conv2d").contains("`conv2d` needs `out`"));
        assert!(parse_error("conv2d: { out: 0, kernel: 3 }").contains("0 is not from 1 to 65536"));
        assert!(parse_error("conv2d: { out: 8, kernel: 0 }").contains("0 is not from 1 to 4096"));
        assert!(parse_error("conv2d: { out: 8, kernel: [3, 99999] }").contains("99999 is not from 1 to 4096"));
        assert!(parse_error("conv2d: { out: 8, kernel: 3, padding: -1 }").contains("invalid value: integer `-1`"));
        assert!(parse_error("conv2d: { out: 8, kernel: 3, padding: valid }").contains("`same`"));
        assert!(parse_error("conv2d: { out: 8, kernel: 3, groups: all }").contains("or `depthwise`"));
        assert!(parse_error("conv2d: { out: 8, kernel: 3, pad: 1 }").contains("unknown field `pad`"));
        assert!(parse_error("conv2d: { out: 8, kernel: 3, padding: { up: 1 } }").contains("unknown field `up`"));
    }

    #[test]
    fn output_shapes_are_torchs_and_tensorflows() {
        assert_eq!(output(&Conv2d::new(64, 7).stride(2).padding(3), image(224, 224, 3)), image(112, 112, 64));
        assert_eq!(output(&Conv2d::new(8, Size([1, 7])).padding([0, 3]), image(17, 17, 4)), image(17, 17, 8));
        assert_eq!(output(&Conv2d::new(8, 3).dilation(2), image(9, 7, 4)), image(5, 3, 8));
        let same = Conv2d::new(8, 3).stride(2).padding(Pad::Same);
        assert_eq!(output(&same, image(224, 225, 3)), image(112, 113, 8));
        assert_eq!(same.window([224, 225]).padding, Padding { top: 0, left: 1, bottom: 1, right: 1 });
    }

    #[test]
    fn says_what_does_not_fit() {
        assert_eq!(
            shape_error(Conv2d::new(8, 5).padding(1), &[image(2, 9, 3)]),
            "a window of 5x5 does not fit into an image of 2x9 (4x11 with padding)"
        );
        assert_eq!(
            shape_error(Conv2d::new(8, 3).groups(2), &[image(9, 9, 3)]),
            "3 input channels cannot be divided into 2 groups"
        );
        assert_eq!(
            shape_error(Conv2d::new(8, 3).depthwise(), &[image(9, 9, 3)]),
            "8 output channels cannot be divided into 3 groups"
        );
        assert_eq!(
            shape_error(Conv2d::new(8, 3), &[Shape::Features(9)]),
            "it takes an image, not a vector of features"
        );
    }

    #[test]
    fn counts_parameters_and_multiply_adds() {
        let stem = Conv2d::new(64, 7).stride(2).padding(3).without_bias();
        assert_eq!(stem.multiply_adds(&[image(224, 224, 3)], image(112, 112, 64)), 118_013_952);

        let grouped = Conv2d::new(8, Size([3, 1])).groups(2).params(&[image(9, 9, 6)]);
        let [weight, bias] = &grouped[..] else { panic!("{grouped:?}") };
        assert_eq!((&weight.name[..], &weight.dims[..], weight.fans), ("weight", &[3, 1, 3, 8][..], (9, 12)));
        assert_eq!((&bias.name[..], &bias.dims[..], bias.role), ("bias", &[8][..], Role::Bias));

        let depthwise = Conv2d::new(6, 3).depthwise().without_bias();
        let [weight] = &depthwise.params(&[image(9, 9, 6)])[..] else { panic!() };
        assert_eq!((&weight.dims[..], weight.fans), (&[3, 3, 1, 6][..], (9, 9)));
        assert_eq!(depthwise.multiply_adds(&[image(9, 9, 6)], image(7, 7, 6)), 7 * 7 * 6 * 9);
    }

    #[test]
    fn is_a_cross_correlation_with_bias() {
        let x = tensor(&[1, 3, 3, 1], &[1., 2., 3., 4., 5., 6., 7., 8., 9.]);
        let weight = tensor(&[2, 2, 1, 1], &[1., 2., 3., 4.]);
        let y = evaluate(Conv2d::new(1, 2), &x, &[weight, tensor(&[1], &[0.5])]);
        assert_eq!(y.dims, [1, 2, 2, 1]);
        assert_eq!(y.values, [37.5, 47.5, 67.5, 77.5]);
    }

    #[test]
    fn same_padding_goes_to_the_bottom_and_right() {
        let x = tensor(&[1, 4, 4, 1], &(1_u8..=16).map(f32::from).collect::<Vec<_>>());
        let layer = Conv2d::new(1, 3).stride(2).padding(Pad::Same).without_bias();
        let y = evaluate(layer, &x, &[tensor(&[3, 3, 1, 1], &[1.0; 9])]);
        assert_eq!(y.values, [54., 45., 72., 54.]);
    }

    #[test]
    fn a_group_sees_its_own_channels() {
        let x = tensor(&[1, 1, 1, 2], &[1., 10.]);
        let weight = tensor(&[1, 1, 1, 4], &[1., 2., 3., 4.]);
        for layer in [Conv2d::new(4, 1).groups(2), Conv2d::new(4, 1).depthwise()] {
            let y = evaluate(layer.without_bias(), &x, std::slice::from_ref(&weight));
            assert_eq!(y.values, [1., 2., 30., 40.]);
        }
    }

    #[test]
    fn channels_mix_in_each_pixel() {
        let x = tensor(&[2, 1, 1, 2], &[1., 2., 3., 4.]);
        let weight = tensor(&[1, 1, 2, 3], &[1., 2., 3., 10., 20., 30.]);
        let y = evaluate(Conv2d::new(3, 1).without_bias(), &x, &[weight]);
        assert_eq!(y.values, [21., 42., 63., 43., 86., 129.]);
    }

    #[test]
    fn missing_parameters_are_an_error() {
        let x = tensor(&[1, 1, 1, 2], &[1., 10.]);
        assert_eq!(Trial::default().error(Conv2d::new(4, 1), &[x], &[]), "got 0 parameters");
    }
}
