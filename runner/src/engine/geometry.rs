//! The geometry of a window that slides over an image: convolutions and pooling.

/// Rows and columns of zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// The same padding above and below, left and right.
    pub fn symmetric(vertical: usize, horizontal: usize) -> Self {
        Padding { top: vertical, left: horizontal, bottom: vertical, right: horizontal }
    }

    /// TensorFlow's 'SAME': the output has `ceil(size / stride)` pixels, and an odd pixel of
    /// padding goes to the bottom and right.
    pub fn same(size: [usize; 2], kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2]) -> Self {
        let total = |i: usize| {
            let reach = dilation[i] * (kernel[i] - 1) + 1;
            ((size[i].div_ceil(stride[i]) - 1) * stride[i] + reach).saturating_sub(size[i])
        };
        let (rows, columns) = (total(0), total(1));
        Padding { top: rows / 2, left: columns / 2, bottom: rows - rows / 2, right: columns - columns / 2 }
    }
}

/// A window over an image, sizes as (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Pixels from one tap of the window to the next.
    pub dilation: [usize; 2],
    /// Zeros around the image.
    pub padding: Padding,
}

impl Window {
    /// Height and width of the output over an image of `size`, or `None` where not even one window
    /// fits, or where a size, stride or dilation is zero.
    pub fn output(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        if [self.kernel, self.stride, self.dilation].as_flattened().contains(&0) {
            return None;
        }
        let padded =
            [size[0] + self.padding.top + self.padding.bottom, size[1] + self.padding.left + self.padding.right];
        let along = |i: usize| {
            let reach = self.dilation[i] * (self.kernel[i] - 1) + 1;
            Some(padded[i].checked_sub(reach)? / self.stride[i] + 1)
        };
        Some([along(0)?, along(1)?])
    }

    /// True for a 1x1 window with stride 1 and no padding, which looks at each pixel alone.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == Padding::default()
    }
}
