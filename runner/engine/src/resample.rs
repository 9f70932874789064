//! Larger images: from which pixels each of theirs comes.

use super::{EngineError, Result};

/// How the pixels of a larger image come from those of a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// A mean of the four around, weighted by distance; pixels have their values at their centres,
    /// as in torch without `align_corners`.
    Bilinear,
}

/// Two coordinates along an axis, and their weights.
pub(crate) type Pair = [(usize, f32); 2];

/// Images brought to a whole multiple of their size.
#[derive(Debug, Clone)]
pub(crate) struct Resample {
    /// Images.
    pub batch: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// For each row and column of the output: where it comes from.
    pub axes: [Vec<Pair>; 2],
}

impl Resample {
    /// Images of shape (N, H, W, C), `factor` times as high and wide.
    pub fn new(dims: &[usize], factor: [usize; 2], interpolation: Interpolation) -> Result<Self> {
        let shapes = || EngineError::Shapes { operation: "upsample", shapes: vec![dims.to_vec(), factor.to_vec()] };
        let &[batch, height, width, channels] = dims else { return Err(shapes()) };
        if factor.contains(&0) || dims.contains(&0) {
            return Err(shapes());
        }
        let axes = [axis(height, factor[0], interpolation), axis(width, factor[1], interpolation)];
        Ok(Resample { batch, size: [height, width], channels, axes })
    }

    /// The output's shape.
    pub fn dims(&self) -> [usize; 4] {
        [self.batch, self.axes[0].len(), self.axes[1].len(), self.channels]
    }

    /// Values of one image of the input.
    pub fn image(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Values of one image of the output.
    pub fn output_image(&self) -> usize {
        self.axes[0].len() * self.axes[1].len() * self.channels
    }
}

fn axis(size: usize, factor: usize, interpolation: Interpolation) -> Vec<Pair> {
    let pair = |at: usize| match interpolation {
        Interpolation::Nearest => [(at / factor, 1.0), (at / factor, 0.0)],
        Interpolation::Bilinear => {
            let place = ((at as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
            let first = (place as usize).min(size - 1);
            let share = (place - first as f64) as f32;
            [(first, 1.0 - share), ((first + 1).min(size - 1), share)]
        }
    };
    (0..size * factor).map(pair).collect()
}
