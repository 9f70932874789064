//! A window that slides over a batch of images: which pixel lies under which tap.

use super::{EngineError, Kernels, Result, Tensor, Window};

/// A window over a batch of images.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slide {
    /// Images.
    pub batch: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Channels of the input.
    pub channels: usize,
    /// Height and width of the output.
    pub output: [usize; 2],
    /// The window.
    pub window: Window,
}

impl Slide {
    /// The window over images of shape (N, H, W, C).
    pub fn new(operation: &'static str, dims: &[usize], window: &Window) -> Result<Self> {
        let shapes = || EngineError::Shapes { operation, shapes: vec![dims.to_vec(), window.kernel.to_vec()] };
        let &[batch, height, width, channels] = dims else { return Err(shapes()) };
        let size = [height, width];
        let output = window.output(size).ok_or_else(shapes)?;
        Ok(Slide { batch, size, channels, output, window: *window })
    }

    /// Taps of the window.
    pub fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1]
    }

    /// Pixels of the output of one image.
    pub fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Output pixels of the whole batch.
    pub fn rows(&self) -> usize {
        self.batch * self.pixels()
    }

    /// Values of one input image.
    pub fn image(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Where the window of output `position` begins along an axis, padding counted negative.
    pub fn begin(&self, axis: usize, position: usize) -> isize {
        let padding = if axis == 0 { self.window.padding.top } else { self.window.padding.left };
        (position * self.window.stride[axis]) as isize - padding as isize
    }

    /// Where in its image the first tap of an output pixel lies; negative in padding.
    pub fn corner(&self, pixel: usize) -> isize {
        let (row, column) = (self.begin(0, pixel / self.output[1]), self.begin(1, pixel % self.output[1]));
        (row * self.size[1] as isize + column) * self.channels as isize
    }

    /// How far in memory a tap of the window is from the first one.
    pub fn distance(&self, tap: usize) -> isize {
        let across = self.window.kernel[1];
        let [down, right] = [tap / across * self.window.dilation[0], tap % across * self.window.dilation[1]];
        ((down * self.size[1] + right) * self.channels) as isize
    }

    /// The input coordinate under a tap of output `position`, unless it is padding.
    pub fn under(&self, axis: usize, position: usize, tap: usize) -> Option<usize> {
        let at = self.begin(axis, position) + (tap * self.window.dilation[axis]) as isize;
        usize::try_from(at).ok().filter(|&at| at < self.size[axis])
    }

    /// For each output coordinate along an axis: the taps that are not over padding, with the
    /// input coordinates under them.
    pub fn inputs(&self, axis: usize) -> Vec<Vec<(usize, usize)>> {
        let taps = 0..self.window.kernel[axis];
        let of = |position| taps.clone().filter_map(move |tap| Some((tap, self.under(axis, position, tap)?))).collect();
        (0..self.output[axis]).map(of).collect()
    }

    /// For each input coordinate along an axis: the taps that ever lie on it, with the output
    /// coordinates they then belong to.
    pub fn outputs(&self, axis: usize) -> Vec<Vec<(usize, usize)>> {
        let mut outputs = vec![Vec::new(); self.size[axis]];
        for (position, inputs) in self.inputs(axis).into_iter().enumerate() {
            for (tap, at) in inputs {
                outputs[at].push((tap, position));
            }
        }
        outputs
    }

    /// True where every window lies over at least one pixel.
    pub fn always_over_pixels(&self) -> bool {
        (0..2).all(|axis| self.inputs(axis).iter().all(|inputs| !inputs.is_empty()))
    }
}

/// What a convolution is, besides its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Convolution {
    /// The window over the input.
    pub slide: Slide,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Channels of the output.
    pub outputs: usize,
}

impl Convolution {
    /// The convolution of `x` (N, H, W, C) with `weight` (KH, KW, C / groups, outputs).
    pub fn new<D: Kernels>(x: &Tensor<D>, weight: &Tensor<D>, window: &Window, groups: usize) -> Result<Self> {
        let slide = Slide::new("conv2d", x.dims(), window)?;
        let fits = |&[high, across, inputs, outputs]: &[usize; 4]| {
            [high, across] == window.kernel && groups > 0 && inputs * groups == slide.channels && outputs % groups == 0
        };
        match <&[usize; 4]>::try_from(weight.dims()) {
            Ok(dims) if fits(dims) => Ok(Convolution { slide, groups, outputs: dims[3] }),
            _ => Err(EngineError::Shapes {
                operation: "conv2d",
                shapes: vec![x.dims().to_vec(), weight.dims().to_vec(), window.kernel.to_vec(), vec![groups]],
            }),
        }
    }

    /// The convolution over images of `size` that a transposed convolution of `x` (N, H, W, C) with
    /// `weight` (KH, KW, outputs, C) is the transpose of: it would give images like `x`.
    pub fn transposed<D: Kernels>(
        x: &Tensor<D>,
        weight: &Tensor<D>,
        window: &Window,
        size: [usize; 2],
    ) -> Result<Self> {
        let shapes = || EngineError::Shapes {
            operation: "conv_transpose2d",
            shapes: vec![x.dims().to_vec(), weight.dims().to_vec(), window.kernel.to_vec(), size.to_vec()],
        };
        let (&[batch, height, width, channels], &[high, across, outputs, inputs]) = (x.dims(), weight.dims()) else {
            return Err(shapes());
        };
        let slide = Slide::new("conv_transpose2d", &[batch, size[0], size[1], outputs], window)?;
        let fits = [high, across] == window.kernel && inputs == channels && slide.output == [height, width];
        if fits { Ok(Convolution { slide, groups: 1, outputs: channels }) } else { Err(shapes()) }
    }

    /// True where each channel is convolved alone.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.slide.channels && self.groups == self.outputs
    }

    /// Input channels of one group.
    pub fn group_inputs(&self) -> usize {
        self.slide.channels / self.groups
    }

    /// Output channels of one group.
    pub fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// The input's shape.
    pub fn input_dims(&self) -> [usize; 4] {
        let [height, width] = self.slide.size;
        [self.slide.batch, height, width, self.slide.channels]
    }

    /// The output's shape.
    pub fn dims(&self) -> [usize; 4] {
        let [height, width] = self.slide.output;
        [self.slide.batch, height, width, self.outputs]
    }
}
