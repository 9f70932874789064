//! Images: where they come from, how they are split, read and handed to training.

pub mod cache;
pub mod check;
mod deal;
pub mod decode;
pub mod facts;
pub mod feature_cache;
pub mod files;
pub mod folder;
mod folds;
pub mod loader;
pub mod manifest;
mod npy;
pub mod npz;
pub mod npz_writer;
pub mod open;
pub mod places;
pub mod registry;
pub mod sample;
pub mod split;
pub mod synthetic;

pub use cache::ImageCache;
pub use decode::BadImage;
pub use facts::DataFacts;
pub use loader::{Batch, Loader};
pub use open::{DataError, Dataset, open};
pub use places::Places;
pub use sample::{Sample, Samples, SplitName};

use crate::augment::Pixels;
use sha2::{Digest, Sha256};

/// Reads the pixels of samples.
pub trait ImageSource: Send + Sync {
    /// The image of a sample in its own size, with 1 or 3 channels, or as many as
    /// an array has; or why it cannot be read.
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage>;

    /// A SHA-256 over what the image is made from: the same only where the pixels are.
    fn digest(&self, sample: &Sample) -> Result<[u8; 32], BadImage> {
        let image = self.read(sample)?;
        let mut hash = Sha256::new();
        for side in [image.height, image.width, image.channels] {
            hash.update((side as u64).to_le_bytes());
        }
        hash.update(&image.bytes);
        Ok(hash.finalize().into())
    }

    /// (height, width, channels) of a sample's image, where that is known without reading all of it.
    fn size(&self, sample: &Sample) -> Option<[usize; 3]>;

    /// Whether images can be read whatever happens: no file is behind them.
    fn always_readable(&self) -> bool {
        false
    }

    /// Whether images lie in memory as they are.
    fn in_memory(&self) -> bool {
        false
    }
}
