//! Average pooling as means over cells of an image.

use super::slide::Slide;
use super::{EngineError, Result, Window};

/// For each output coordinate along an axis, the input coordinates it is the mean of.
pub(crate) type Axis = Vec<Vec<usize>>;

/// Means over products of rows and columns of an image.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    /// Images.
    pub batch: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// Rows and columns of each cell.
    pub axes: [Axis; 2],
    /// What each sum is divided by; the number of its pixels where `None`.
    pub divisor: Option<usize>,
}

impl Cells {
    /// The cells of a sliding window over images of shape `dims`.
    pub fn of_window(dims: &[usize], window: &Window, count_padding: bool) -> Result<Self> {
        let slide = Slide::new("avg_pool", dims, window)?;
        if !slide.always_over_pixels() {
            let shapes = vec![dims.to_vec(), window.kernel.to_vec()];
            return Err(EngineError::Shapes { operation: "avg_pool", shapes });
        }
        let axis = |axis| -> Axis {
            slide.inputs(axis).into_iter().map(|inputs| inputs.into_iter().map(|(_, at)| at).collect()).collect()
        };
        Ok(Cells {
            batch: slide.batch,
            size: slide.size,
            channels: slide.channels,
            axes: [axis(0), axis(1)],
            divisor: count_padding.then(|| slide.taps()),
        })
    }

    /// A grid of `output` cells over images of shape `dims`, as torch's adaptive pooling has it.
    pub fn of_grid(dims: &[usize], output: [usize; 2]) -> Result<Self> {
        let &[batch, height, width, channels] = dims else {
            let shapes = vec![dims.to_vec(), output.to_vec()];
            return Err(EngineError::Shapes { operation: "adaptive_avg_pool", shapes });
        };
        let axis = |size: usize, cells: usize| -> Axis {
            (0..cells).map(|cell| (cell * size / cells..((cell + 1) * size).div_ceil(cells)).collect()).collect()
        };
        let axes = [axis(height, output[0]), axis(width, output[1])];
        Ok(Cells { batch, size: [height, width], channels, axes, divisor: None })
    }

    /// The output's shape.
    pub fn dims(&self) -> [usize; 4] {
        [self.batch, self.axes[0].len(), self.axes[1].len(), self.channels]
    }

    /// What the sum over a cell is multiplied by.
    pub fn factor(&self, rows: &[usize], columns: &[usize]) -> f32 {
        1.0 / self.divisor.unwrap_or(rows.len() * columns.len()).max(1) as f32
    }
}
