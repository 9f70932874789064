//! The shape of an activation for one sample.

use super::LayerError;
use std::fmt;

/// The shape of an activation for one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// An image, or feature maps.
    Image {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Channels.
        channels: usize,
    },
    /// A vector of features.
    Features(usize),
}

impl Shape {
    /// Height and width, and channels, of an image.
    pub fn image(self) -> Result<([usize; 2], usize), LayerError> {
        match self {
            Shape::Image { height, width, channels } => Ok(([height, width], channels)),
            Shape::Features(_) => Err(LayerError::Shape("it takes an image, not a vector of features".into())),
        }
    }

    /// Whether there can be so much of one sample. The limits are far above any real net; they keep products
    /// of sizes from overflowing.
    pub fn is_reasonable(self) -> bool {
        match self {
            Shape::Image { height, width, channels } => {
                height.max(width) <= 1 << 16 && channels <= 1 << 20 && height * width * channels <= 1 << 34
            }
            Shape::Features(count) => count <= 1 << 34,
        }
    }

    /// Values a sample.
    pub fn count(self) -> usize {
        match self {
            Shape::Image { height, width, channels } => height * width * channels,
            Shape::Features(count) => count,
        }
    }

    /// Channels of an image, or the number of features.
    pub fn channels(self) -> usize {
        match self {
            Shape::Image { channels, .. } => channels,
            Shape::Features(count) => count,
        }
    }

    /// The dimensions of one sample: (H, W, C) or (F).
    pub fn dims(self) -> Vec<usize> {
        match self {
            Shape::Image { height, width, channels } => vec![height, width, channels],
            Shape::Features(count) => vec![count],
        }
    }

    /// The dimensions of a batch of `samples`.
    pub fn batch(self, samples: usize) -> Vec<usize> {
        [vec![samples], self.dims()].concat()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Image { height, width, channels } => write!(f, "{height}x{width}x{channels}"),
            Shape::Features(count) => write!(f, "{count}"),
        }
    }
}
