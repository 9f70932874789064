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
        super::pooled(*input, |size| self.window(size))
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

#[cfg(test)]
mod tests {
    use super::super::testing::{evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;

    fn output(layer: &MaxPool, input: Shape) -> Shape {
        layer.output(&[input]).unwrap()
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("max_pool: { size: 2 }"), MaxPool::new(2).into());
        assert_eq!(
            parse("max_pool: { size: [3, 2], stride: 2, padding: 1, ceil_mode: true }"),
            MaxPool::new(Size([3, 2])).stride(2).padding(1).ceil_mode().into()
        );
        assert!(parse_error("max_pool").contains("`max_pool` needs `size`"));
        assert!(parse_error("max_pool: { size: 2, stride: 0 }").contains("0 is not from 1 to 4096"));
    }

    #[test]
    fn output_shapes_are_torchs() {
        assert_eq!(output(&MaxPool::new(2), image(7, 6, 3)), image(3, 3, 3));
        assert_eq!(output(&MaxPool::new(3).stride(2).padding(1), image(112, 112, 64)), image(56, 56, 64));
        assert_eq!(output(&MaxPool::new(3).stride(2), image(112, 112, 64)), image(55, 55, 64));
        assert_eq!(output(&MaxPool::new(3).stride(2).ceil_mode(), image(112, 112, 64)), image(56, 56, 64));
        // The last window would see nothing but what hangs over.
        assert_eq!(output(&MaxPool::new(1).stride(3).ceil_mode(), image(3, 4, 1)), image(1, 2, 1));
    }

    #[test]
    fn says_what_does_not_fit() {
        assert_eq!(
            shape_error(MaxPool::new(3).stride(2), &[image(2, 2, 8)]),
            "a window of 3x3 does not fit into an image of 2x2"
        );
        assert_eq!(
            shape_error(MaxPool::new(2).padding(2), &[image(8, 8, 8)]),
            "its padding must be smaller than its window of 2x2"
        );
    }

    #[test]
    fn the_largest_of_each_window_wins_and_padding_never_does() {
        let x = tensor(&[1, 2, 2, 2], &[-1., 1., -2., 2., -3., 3., -4., 4.]);
        let y = evaluate(MaxPool::new(2), &x, &[]);
        assert_eq!((y.dims, y.values), (vec![1, 1, 1, 2], vec![-1., 4.]));
        let y = evaluate(MaxPool::new(2).stride(1).padding(1), &x, &[]);
        assert_eq!(y.dims, [1, 3, 3, 2]);
        assert_eq!(y.values, [-1., 1., -1., 2., -2., 2., -1., 3., -1., 4., -2., 4., -3., 3., -3., 4., -4., 4.]);
    }

    #[test]
    fn a_window_may_hang_over() {
        let x = tensor(&[1, 1, 3, 1], &[-1., -2., -3.]);
        let layer = MaxPool::new(Size([1, 2])).ceil_mode();
        assert_eq!(evaluate(layer, &x, &[]).values, [-1., -3.]);
    }
}
