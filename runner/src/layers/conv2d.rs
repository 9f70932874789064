use super::{Groups, Layer, LayerError, Layout, Pad, ParamDef, Pass, Role, Shape, arguments, exactly};
use crate::engine::{Kernels, Tensor, Window};
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
        if channels % groups != 0 {
            return Err(LayerError::Shape(format!("{channels} input channels cannot be divided into {groups} groups")));
        }
        if self.out % groups != 0 {
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
        let mut params = vec![ParamDef { name: "weight", dims, role: Role::Weight, layout: Layout::Conv, fans }];
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
