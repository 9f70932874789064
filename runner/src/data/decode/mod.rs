//! Decodes image files, whatever they hold.
//!
//! Read are JPEG (grey, colour, CMYK and YCCK, progressive or not), PNG, GIF and WebP (the first
//! frame), BMP and TIFF; the kind is told from the bytes, not from the file's name. What comes out
//! is 8-bit grey or RGB:
//! - 16 bits a channel are scaled to 8, floating point from [0, 1] to 8 bits;
//! - transparent pixels are composited on black: what they hide has no meaning, and black is what
//!   `fit: pad` and `rotate` fill with;
//! - the orientation that EXIF gives is applied.

mod jpeg;

use crate::augment::Pixels;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, metadata::Orientation};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// An image that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct BadImage {
    /// The sample's name.
    pub name: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// The most pixels an image may have; more is taken for a decompression bomb. Pillow's limit.
pub const MAX_PIXELS: u64 = 178_956_970;

/// The most bytes that a decoder may hold: `MAX_PIXELS` in RGB, 16 bits a channel.
const MAX_BYTES: u64 = MAX_PIXELS * 6;

/// Images of more pixels than this are decoded one at a time, so that the memory that a large one
/// needs is not needed once a worker.
const LARGE: u64 = 16_000_000;
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Decodes an encoded image to 8-bit grey or RGB.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Pixels, BadImage> {
    // Decoders are other people's code that meets arbitrary bytes: a panic in one is the file's
    // fault, not the run's.
    catch_unwind(AssertUnwindSafe(|| read(bytes)))
        .unwrap_or_else(|_| Err("its decoder broke down over it".to_owned()))
        .map_err(|reason| BadImage { name: name.to_owned(), reason })
}

/// (height, width, channels) of the image in a file, by its header; channels as they are decoded.
pub fn size(path: &Path) -> Option<[usize; 3]> {
    let mut decoder = ImageReader::open(path).ok()?.with_guessed_format().ok()?.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let channels = if decoder.color_type().has_color() { 3 } else { 1 };
    let turned = matches!(
        decoder.orientation(),
        Ok(Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH)
    );
    let [height, width] = if turned { [width, height] } else { [height, width] };
    Some([height as usize, width as usize, channels])
}

fn read(bytes: &[u8]) -> Result<Pixels, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    let format = image::guess_format(bytes)
        .ok()
        .filter(ImageFormat::reading_enabled)
        .ok_or("not an image of a kind that is read (JPEG, PNG, GIF, BMP, TIFF, WebP)")?;
    if format == ImageFormat::Jpeg && !jpeg::is_complete(bytes) {
        return Err("the JPEG is cut short: its end is missing".to_owned());
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(reason)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(format!("the image has no pixels ({width}x{height})"));
    }
    if pixels > MAX_PIXELS || decoder.total_bytes() > MAX_BYTES {
        return Err(format!("{width}x{height} pixels are too many: {MAX_PIXELS} are read at most"));
    }
    let _turn = (pixels > LARGE).then(|| ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(reason)?;
    image.apply_orientation(orientation);
    Ok(to_pixels(image))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

fn reason(error: image::ImageError) -> String {
    match error {
        image::ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the file is cut short".to_owned()
        }
        error => error.to_string(),
    }
}

fn to_pixels(image: DynamicImage) -> Pixels {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let colour = image.color();
    let (channels, bytes) = match (colour.has_color(), colour.has_alpha()) {
        (true, false) => (3, image.into_rgb8().into_raw()),
        (true, true) => (3, on_black::<4>(image.into_rgba8().into_raw())),
        (false, false) => (1, image.into_luma8().into_raw()),
        (false, true) => (1, on_black::<2>(image.into_luma_alpha8().into_raw())),
    };
    Pixels { height, width, channels, bytes }
}

/// Composites pixels of `N` values, the last of which is the opacity, on black; in place.
fn on_black<const N: usize>(mut bytes: Vec<u8>) -> Vec<u8> {
    for place in 0..bytes.len() / N {
        let alpha = u32::from(bytes[place * N + N - 1]);
        for channel in 0..N - 1 {
            let value = u32::from(bytes[place * N + channel]);
            bytes[place * (N - 1) + channel] = ((value * alpha + 127) / 255) as u8;
        }
    }
    bytes.truncate(bytes.len() / N * (N - 1));
    bytes.shrink_to_fit();
    bytes
}

#[cfg(test)]
mod tests;
