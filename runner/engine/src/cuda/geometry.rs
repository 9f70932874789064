//! How a window lies over images, as the kernels take it.

use super::super::slide::{Convolution, Slide};
use super::gpu::Argument;

/// A window over images, and the images that come of it.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// As `Geometry` in geometry.cuh.
    numbers: [i32; 16],
}

impl Geometry {
    /// A window that gives as many channels as it takes.
    pub fn of_slide(slide: &Slide) -> Self {
        Geometry::new(slide, slide.channels)
    }

    /// A convolution.
    pub fn of(conv: &Convolution) -> Self {
        Geometry::new(&conv.slide, conv.outputs)
    }

    fn new(slide: &Slide, outputs: usize) -> Self {
        let window = &slide.window;
        let numbers = [
            slide.batch,
            slide.size[0],
            slide.size[1],
            slide.channels,
            slide.output[0],
            slide.output[1],
            outputs,
            window.kernel[0],
            window.kernel[1],
            window.stride[0],
            window.stride[1],
            window.dilation[0],
            window.dilation[1],
            window.padding.top,
            window.padding.left,
            0,
        ];
        Geometry { numbers: numbers.map(|number| number as i32) }
    }
}

impl From<Geometry> for Argument {
    fn from(geometry: Geometry) -> Self {
        Argument::Ints(geometry.numbers)
    }
}
