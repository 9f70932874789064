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

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: usize, stride: usize, dilation: usize, padding: Padding) -> Window {
        Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [dilation; 2], padding }
    }

    #[test]
    fn same_padding_gives_the_sizes_of_tensorflow() {
        for size in 1..40 {
            for kernel in 1..8 {
                for stride in 1..4 {
                    for dilation in 1..3 {
                        let padding = Padding::same([size; 2], [kernel; 2], [stride; 2], [dilation; 2]);
                        let output = window(kernel, stride, dilation, padding).output([size; 2]);
                        assert_eq!(output, Some([size.div_ceil(stride); 2]), "{size} {kernel} {stride} {dilation}");
                        assert!(padding.bottom - padding.top <= 1 && padding.right - padding.left <= 1);
                    }
                }
            }
        }
        // The stem of EfficientNet at an even size: nothing above, one row below.
        assert_eq!(Padding::same([96; 2], [3; 2], [2; 2], [1; 2]), Padding { top: 0, left: 0, bottom: 1, right: 1 });
    }

    #[test]
    fn a_window_that_does_not_fit_has_no_output() {
        assert_eq!(window(3, 1, 1, Padding::default()).output([2, 9]), None);
        assert_eq!(window(3, 1, 2, Padding::default()).output([4, 9]), None);
        assert_eq!(window(3, 1, 2, Padding::default()).output([5, 9]), Some([1, 5]));
        assert_eq!(window(3, 2, 1, Padding::symmetric(1, 1)).output([224, 224]), Some([112, 112]));
        assert_eq!(window(3, 0, 1, Padding::default()).output([9, 9]), None);
        assert_eq!(window(0, 1, 1, Padding::default()).output([9, 9]), None);
    }
}
