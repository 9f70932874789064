//! Windows over images: what convolutions and pools have in common.

use super::{LayerError, Shape};
use crate::engine::{Padding, Window};

/// Height and width of the output of a window over an image of `size`.
pub(super) fn slide(window: &Window, size: [usize; 2]) -> Result<[usize; 2], LayerError> {
    window.output(size).ok_or_else(|| {
        let Padding { top, left, bottom, right } = window.padding;
        let reach = |i: usize| window.dilation[i] * (window.kernel[i] - 1) + 1;
        let padded = [size[0] + top + bottom, size[1] + left + right];
        let with = if padded == size { String::new() } else { format!(" ({}x{} with padding)", padded[0], padded[1]) };
        LayerError::Shape(format!(
            "a window of {}x{} does not fit into an image of {}x{}{with}",
            reach(0),
            reach(1),
            size[0],
            size[1],
        ))
    })
}

/// The shape of a pool's output. With as much padding as window, some windows would see nothing but
/// padding, so that is an error.
pub(super) fn pooled(input: Shape, window: impl FnOnce([usize; 2]) -> Window) -> Result<Shape, LayerError> {
    let (size, channels) = input.image()?;
    let window = window(size);
    let [rows, columns] = window.kernel;
    let Padding { top, left, bottom, right } = window.padding;
    if top.max(bottom) >= rows || left.max(right) >= columns {
        return Err(LayerError::Shape(format!("its padding must be smaller than its window of {rows}x{columns}")));
    }
    let [height, width] = slide(&window, size)?;
    Ok(Shape::Image { height, width, channels })
}
