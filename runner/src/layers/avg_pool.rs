use super::{Kept, Layer, LayerError, Pad, Pass, Shape, arguments, exactly};
use crate::engine::{Kernels, Tensor, Window};
use crate::spec::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mean of each window, channel by channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvgPool {
    /// Height and width of the window.
    #[serde(deserialize_with = "arguments::pixels")]
    pub size: Size,
    /// Pixels from one window to the next; by default the window's size.
    #[serde(default, deserialize_with = "arguments::some_pixels", skip_serializing_if = "Option::is_none")]
    pub stride: Option<Size>,
    /// Pixels of padding around the image.
    #[serde(default)]
    pub padding: Pad,
    /// Whether padding counts as zeros, as in torch, or is left out of the mean, as in TensorFlow.
    #[serde(default = "AvgPool::default_count_padding")]
    pub count_padding: bool,
}

impl AvgPool {
    /// Windows side by side, without padding.
    pub fn new(size: impl Into<Size>) -> Self {
        AvgPool { size: size.into(), stride: None, padding: Pad::default(), count_padding: true }
    }

    /// With this stride.
    #[must_use]
    pub fn stride(self, stride: impl Into<Size>) -> Self {
        AvgPool { stride: Some(stride.into()), ..self }
    }

    /// With this padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pad>) -> Self {
        AvgPool { padding: padding.into(), ..self }
    }

    /// With padding left out of the mean.
    #[must_use]
    pub fn without_padding_counted(self) -> Self {
        AvgPool { count_padding: false, ..self }
    }

    fn default_count_padding() -> bool {
        true
    }

    fn window(&self, size: [usize; 2]) -> Window {
        self.padding.window(size, self.size, self.stride.unwrap_or(self.size), Size([1, 1]))
    }
}

impl Layer for AvgPool {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        super::pooled(*input, |size| self.window(size), self.padding)
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
        let [_, height, width, _] = *exactly(x.dims())?;
        Ok(D::avg_pool(pass.tape, x, &self.window([height, width]), self.count_padding)?)
    }
}
