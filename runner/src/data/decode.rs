//! Decodes image files, whatever they hold.

use crate::augment::Pixels;

/// An image that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct BadImage {
    /// The sample's name.
    pub name: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// Decodes an encoded image to 8-bit grey or RGB.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Pixels, BadImage> {
    let _ = (name, bytes);
    todo!()
}
