//! Brings an image to the size of the net's input.

use super::{Pixels, Region};
use crate::spec::Fit;

/// The image at `size`, (height, width).
pub fn fit(image: Pixels, size: [usize; 2], how: Fit) -> Pixels {
    match how {
        Fit::Crop => {
            let region = covering(&image, size);
            image.resized(region, size)
        }
        Fit::Stretch => {
            let region = image.whole();
            image.resized(region, size)
        }
        Fit::Pad => padded(image, size),
    }
}

/// The largest centred region with the proportions of `size`.
fn covering(image: &Pixels, [height, width]: [usize; 2]) -> Region {
    let all = image.whole();
    let scale = (all.height / height as f64).min(all.width / width as f64);
    let (height, width) = ((height as f64 * scale).min(all.height), (width as f64 * scale).min(all.width));
    Region { top: (all.height - height) / 2.0, left: (all.width - width) / 2.0, height, width }
}

/// The whole image as large as it fits, centred on black.
fn padded(image: Pixels, [height, width]: [usize; 2]) -> Pixels {
    let scale = (height as f64 / image.height as f64).min(width as f64 / image.width as f64);
    let side = |from: usize, most: usize| ((from as f64 * scale).round() as usize).clamp(1, most);
    let inner = [side(image.height, height), side(image.width, width)];
    let region = image.whole();
    let image = image.resized(region, inner);
    if inner == [height, width] {
        return image;
    }
    let mut canvas = Pixels::black(height, width, image.channels);
    let (top, left) = ((height - inner[0]) / 2, (width - inner[1]) / 2);
    let rows = canvas.bytes.chunks_exact_mut(width * image.channels).skip(top);
    for (row, source) in rows.zip(image.bytes.chunks_exact(inner[1] * image.channels)) {
        row[left * image.channels..][..source.len()].copy_from_slice(source);
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three columns of 4x4 squares: 10, 20, 30.
    fn stripes() -> Pixels {
        let bytes = (0..4).flat_map(|_| (0..12).map(|x| [10, 20, 30][x / 4])).collect();
        Pixels { height: 4, width: 12, channels: 1, bytes }
    }

    #[test]
    fn crop_covers_and_keeps_the_middle() {
        assert!(fit(stripes(), [4, 4], Fit::Crop).bytes.iter().all(|&value| value == 20));
    }

    #[test]
    fn stretch_keeps_everything() {
        let image = fit(stripes(), [2, 3], Fit::Stretch);
        assert_eq!(image.size(), [2, 3]);
        assert!(image.bytes[0] < 14 && image.bytes[1] == 20 && image.bytes[2] > 26, "{:?}", image.bytes);
    }

    #[test]
    fn pad_keeps_proportions_on_black() {
        let image = fit(stripes(), [12, 12], Fit::Pad);
        assert!(image.bytes[..48].iter().all(|&value| value == 0));
        assert_eq!(image.bytes[48..96], stripes().bytes);
        assert!(image.bytes[96..].iter().all(|&value| value == 0));
    }

    #[test]
    fn extreme_proportions_leave_no_side_empty() {
        for how in [Fit::Crop, Fit::Stretch, Fit::Pad] {
            for [height, width] in [[1, 5000], [5000, 1], [1, 1]] {
                let image = Pixels { height, width, channels: 3, bytes: vec![7; height * width * 3] };
                let image = fit(image, [5, 9], how);
                assert_eq!((image.size(), image.bytes.len()), ([5, 9], 5 * 9 * 3));
            }
        }
    }
}
