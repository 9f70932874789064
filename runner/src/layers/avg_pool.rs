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
        super::pooled(*input, |size| self.window(size))
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

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, image, parse, shape_error, tensor};
    use super::*;

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("avg_pool: { size: 2 }"), AvgPool::new(2).into());
        assert_eq!(
            parse("avg_pool: { size: 3, stride: 1, padding: 1, count_padding: false }"),
            AvgPool::new(3).stride(1).padding(1).without_padding_counted().into()
        );
    }

    #[test]
    fn output_shapes_and_what_does_not_fit() {
        let layer = AvgPool::new(3).stride(1).padding(1);
        assert_eq!(layer.output(&[image(35, 35, 192)]).unwrap(), image(35, 35, 192));
        assert_eq!(
            shape_error(AvgPool::new(8), &[image(7, 9, 1)]),
            "a window of 8x8 does not fit into an image of 7x9"
        );
        assert!(shape_error(AvgPool::new(1).padding(1), &[image(7, 9, 1)]).contains("its padding must be smaller"));
    }

    #[test]
    fn padding_counts_or_does_not() {
        let x = tensor(&[1, 2, 2, 1], &[1., 2., 3., 6.]);
        assert_near(&evaluate(AvgPool::new(2), &x, &[]).values, &[3.]);
        let layer = AvgPool::new(2).stride(2).padding(1);
        assert_near(&evaluate(layer.clone(), &x, &[]).values, &[0.25, 0.5, 0.75, 1.5]);
        assert_near(&evaluate(layer.without_padding_counted(), &x, &[]).values, &[1., 2., 3., 6.]);
    }
}
