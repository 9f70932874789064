//! Images in memory.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// An 8-bit image in memory: rows of pixels of interleaved channels. Neither side is ever 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 for grey, 3 for RGB, or as many as an array has.
    pub channels: usize,
    /// `height * width * channels` bytes.
    pub bytes: Vec<u8>,
}

/// A rectangle in an image, in pixels; its borders may lie between pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Rows above it.
    pub top: f64,
    /// Columns left of it.
    pub left: f64,
    /// Its rows.
    pub height: f64,
    /// Its columns.
    pub width: f64,
}

impl Pixels {
    /// A black image.
    pub fn black(height: usize, width: usize, channels: usize) -> Self {
        Pixels { height, width, channels, bytes: vec![0; height * width * channels] }
    }

    /// (height, width).
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// All of the image.
    pub fn whole(&self) -> Region {
        Region { top: 0.0, left: 0.0, height: self.height as f64, width: self.width as f64 }
    }

    /// The region brought to (height, width): bilinear, antialiased when it gets smaller, as
    /// torchvision's `resize(antialias=True)`.
    #[must_use]
    pub fn resized(self, region: Region, size: [usize; 2]) -> Self {
        if region == self.whole() && size == self.size() { self } else { self.part(region, size) }
    }

    /// As [`Pixels::resized`], of an image that others need as well.
    #[must_use]
    pub fn part(&self, region: Region, size: [usize; 2]) -> Self {
        if !matches!(self.channels, 1 | 3) {
            return self.part_by_channel(region, size);
        }
        let [height, width] = size;
        let pixel = if self.channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(
            region.left,
            region.top,
            region.width,
            region.height,
        );
        let mut image = Image::new(width as u32, height as u32, pixel);
        let done = ImageRef::new(self.width as u32, self.height as u32, &self.bytes, pixel)
            .is_ok_and(|source| Resizer::new().resize(&source, &mut image, &options).is_ok());
        debug_assert!(done, "{region:?} lies in {:?}", self.size());
        Pixels { height, width, channels: self.channels, bytes: image.into_vec() }
    }

    fn part_by_channel(&self, region: Region, size: [usize; 2]) -> Self {
        let [height, width] = size;
        let mut out = Pixels::black(height, width, self.channels);
        for channel in 0..self.channels {
            let bytes = self.bytes.iter().skip(channel).step_by(self.channels).copied().collect();
            let plane = Pixels { channels: 1, bytes, ..*self }.resized(region, size);
            let values = out.bytes.iter_mut().skip(channel).step_by(self.channels);
            values.zip(plane.bytes).for_each(|(value, resized)| *value = resized);
        }
        out
    }

    /// The image with 1 or 3 channels, where it has 3 or 1; else as it is. Luminance is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as
    /// Pillow's and torchvision's.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        let bytes = match (self.channels, channels) {
            (3, 1) => self.bytes.chunks_exact(3).map(luminance).collect(),
            (1, 3) => self.bytes.iter().flat_map(|&value| [value; 3]).collect(),
            _ => return self,
        };
        Pixels { channels, bytes, ..self }
    }
}

/// The luminance of an RGB pixel, or the value of a grey one.
pub fn luminance(pixel: &[u8]) -> u8 {
    match *pixel {
        // 19595 + 38470 + 7471 = 65536, Pillow's fixed point.
        [r, g, b] => ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 0x8000) >> 16) as u8,
        [value, ..] => value,
        [] => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_has_the_luminance_of_bt_601() {
        let image = Pixels { height: 1, width: 4, channels: 3, bytes: vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9] };
        let grey = image.with_channels(1);
        assert_eq!(grey.bytes, [76, 150, 29, 9]);
        assert_eq!(grey.with_channels(3).bytes, [76, 76, 76, 150, 150, 150, 29, 29, 29, 9, 9, 9]);
    }

    #[test]
    fn shrinking_takes_means_of_areas() {
        // Columns 0, 100, 0, 100, ...: an aliased resize would give 0 or 100.
        let bytes = (0..64).map(|i| if i % 2 == 0 { 0 } else { 100 }).collect();
        let image = Pixels { height: 8, width: 8, channels: 1, bytes };
        let small = image.clone().resized(image.whole(), [2, 2]);
        assert!(small.bytes.iter().all(|value| (45..=55).contains(value)), "{:?}", small.bytes);
    }

    #[test]
    fn channels_are_resized_alike_however_many_there_are() {
        let grey = Pixels { height: 5, width: 7, channels: 1, bytes: (0..35).map(|i| (i * 73 % 256) as u8).collect() };
        let many = Pixels { channels: 4, bytes: grey.bytes.iter().flat_map(|&v| [v, 255 - v, v, 9]).collect(), ..grey };
        let region = Region { top: 0.5, left: 1.0, height: 4.0, width: 5.5 };
        let (one, four) = (grey.resized(region, [3, 8]), many.resized(region, [3, 8]));
        assert_eq!(four.bytes.iter().copied().step_by(4).collect::<Vec<_>>(), one.bytes);
        assert!(four.bytes.iter().skip(3).step_by(4).all(|&value| value == 9));
    }

    #[test]
    fn a_region_is_cut_out_exactly() {
        let image = Pixels { height: 4, width: 4, channels: 1, bytes: (0..16).collect() };
        let part = image.resized(Region { top: 1.0, left: 2.0, height: 2.0, width: 2.0 }, [2, 2]);
        assert_eq!(part.bytes, [6, 7, 10, 11]);
    }
}
