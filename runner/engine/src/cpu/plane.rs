//! Convolutions in the form in which they are computed.

use super::super::slide::Convolution;
use super::scratch::Scratch;
use rayon::prelude::*;

/// Up to so many channels, a row of the window is read as one pixel with all of its values.
const FEW_CHANNELS: usize = 8;

/// A convolution over images whose pixels may overlap in memory.
#[derive(Debug, Clone, Copy)]
pub struct Plane {
    /// Images.
    pub batch: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Pixels from one tap to the next.
    pub dilation: [usize; 2],
    /// Padding above and to the left.
    pub before: [usize; 2],
    /// Values from one pixel of the input to the next.
    pub pixel: usize,
    /// Values from one row of the input to the next.
    pub line: usize,
    /// Input channels of a group.
    pub inputs: usize,
    /// Output channels of a group.
    pub outputs: usize,
    /// Groups of channels.
    pub groups: usize,
}

impl Plane {
    /// The convolution as it is. Where it looks at each pixel alone, each is an image of its own.
    pub fn new(conv: &Convolution) -> Self {
        let window = conv.slide.window;
        let plane = Plane {
            batch: conv.slide.batch,
            size: conv.slide.size,
            output: conv.slide.output,
            kernel: window.kernel,
            stride: window.stride,
            dilation: window.dilation,
            before: [window.padding.top, window.padding.left],
            pixel: conv.slide.channels,
            line: conv.slide.size[1] * conv.slide.channels,
            inputs: conv.group_inputs(),
            outputs: conv.group_outputs(),
            groups: conv.groups,
        };
        if window.is_pointwise() {
            return Plane { batch: conv.slide.rows(), size: [1, 1], output: [1, 1], line: plane.pixel, ..plane };
        }
        plane
    }

    /// Rows of vectors times a matrix.
    pub fn product(rows: usize, inputs: usize, outputs: usize) -> Self {
        Plane {
            batch: rows,
            size: [1, 1],
            output: [1, 1],
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            before: [0, 0],
            pixel: inputs,
            line: inputs,
            inputs,
            outputs,
            groups: 1,
        }
    }

    /// The same convolution over images with the padding in them, a row of the window as one tap:
    /// sums of a few channels would be too short. `None` where there are channels enough.
    pub fn row_by_row(&self) -> Option<Self> {
        let fits = self.inputs <= FEW_CHANNELS && self.groups == 1 && self.kernel[1] > 1 && self.dilation[1] == 1;
        fits.then(|| {
            let [height, width] = self.padded();
            Plane {
                size: [height, width + 1 - self.kernel[1]],
                kernel: [self.kernel[0], 1],
                before: [0, 0],
                inputs: self.inputs * self.kernel[1],
                line: width * self.pixel,
                ..*self
            }
        })
    }

    /// Height and width of the padded images of [`Plane::row_by_row`], as far as windows reach.
    fn padded(&self) -> [usize; 2] {
        [0, 1]
            .map(|axis| (self.output[axis] - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1)
    }

    /// The padded images of [`Plane::row_by_row`].
    pub fn pad(&self, x: &[f32]) -> Scratch {
        let [height, width] = self.padded();
        let line = width * self.pixel;
        let mut padded = Scratch::new(self.batch * height * line);
        let left = (self.before[1] * self.pixel).min(line);
        let own = self.size[1] * self.pixel;
        let copied = own.min(line - left);
        padded.par_chunks_mut((height * line).max(1)).enumerate().for_each(|(image, padded)| {
            for (row, padded) in padded.chunks_exact_mut(line).enumerate() {
                let Some(row) = row.checked_sub(self.before[0]).filter(|&row| row < self.size[0]) else {
                    padded.fill(0.0);
                    continue;
                };
                padded[..left].fill(0.0);
                padded[left..left + copied].copy_from_slice(&x[(image * self.size[0] + row) * own..][..copied]);
                padded[left + copied..].fill(0.0);
            }
        });
        padded
    }

    /// Taps of the window.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// All output channels.
    pub fn all_outputs(&self) -> usize {
        self.outputs * self.groups
    }

    /// Values of the weights.
    pub fn weights(&self) -> usize {
        self.taps() * self.inputs * self.all_outputs()
    }

    /// The input coordinate under a tap of an output coordinate, unless it is padding.
    pub fn under(&self, axis: usize, position: usize, tap: usize) -> Option<usize> {
        let at = (position * self.stride[axis] + tap * self.dilation[axis]).checked_sub(self.before[axis])?;
        (at < self.size[axis]).then_some(at)
    }
}
