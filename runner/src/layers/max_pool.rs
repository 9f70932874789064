use super::{Kept, Layer, LayerError, Pad, Pass, Shape, arguments, exactly};
use crate::engine::{Kernels, Tensor, Window};
use crate::spec::size::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest value of each window, channel by channel; padding never wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxPool {
    /// Height and width of the window.
    #[serde(deserialize_with = "arguments::pixels")]
    pub size: Size,
    /// Pixels from one window to the next; by default the window's size.
    #[serde(default, deserialize_with = "arguments::some_pixels", skip_serializing_if = "Option::is_none")]
    pub stride: Option<Size>,
    /// Pixels of padding around the image.
    #[serde(default)]
    pub padding: Pad,
    /// Whether a last window may hang over the edge, rather than be left out.
    #[serde(default)]
    pub ceil_mode: bool,
}

impl MaxPool {
    /// Windows side by side, without padding.
    pub fn new(size: impl Into<Size>) -> Self {
        MaxPool { size: size.into(), stride: None, padding: Pad::default(), ceil_mode: false }
    }

    /// With this stride.
    #[must_use]
    pub fn stride(self, stride: impl Into<Size>) -> Self {
        MaxPool { stride: Some(stride.into()), ..self }
    }

    /// With this padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pad>) -> Self {
        MaxPool { padding: padding.into(), ..self }
    }

    /// With a last window that may hang over the edge.
    #[must_use]
    pub fn ceil_mode(self) -> Self {
        MaxPool { ceil_mode: true, ..self }
    }

    fn window(&self, size: [usize; 2]) -> Window {
        let stride = self.stride.unwrap_or(self.size);
        let mut window = self.padding.window(size, self.size, stride, Size([1, 1]));
        if self.ceil_mode {
            let padding = &mut window.padding;
            padding.bottom += overhang(size[0], padding.top, padding.bottom, self.size.0[0], stride.0[0]);
            padding.right += overhang(size[1], padding.left, padding.right, self.size.0[1], stride.0[1]);
        }
        window
    }
}

/// The pixels by which a last window hangs over the far edge; it must begin before the padding
/// there, as in torch.
fn overhang(size: usize, before: usize, after: usize, kernel: usize, stride: usize) -> usize {
    let Some(room) = (size + before + after).checked_sub(kernel) else { return 0 };
    let over = room % stride;
    let begin = room - over + stride;
    if over == 0 || begin >= size + before { 0 } else { stride - over }
}

impl Layer for MaxPool {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        super::pooled(*input, |size| self.window(size), self.padding)
    }

    fn kept_for_backward(&self, _: &[Shape], output: Shape) -> Kept {
        // Which pixel of the window won.
        Kept { inputs: false, output: false, extra: output.count() }
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let [_, height, width, _] = *exactly(x.dims())?;
        Ok(D::max_pool(pass.tape, x, &self.window([height, width]))?)
    }
}
