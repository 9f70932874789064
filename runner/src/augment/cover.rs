//! Rectangles of an image covered.

use super::Pixels;
use crate::random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What covers a part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cover {
    /// The image's mean colour: near to 0 when normalized.
    #[default]
    Mean,
    /// Black.
    Black,
    /// A random colour for each pixel.
    Noise,
}

impl Cover {
    /// Covers the rectangle, which lies within the image. `mean` is the image's mean colour: a value a channel.
    pub fn fill(
        self,
        image: &mut Pixels,
        rows: &Range<usize>,
        columns: &Range<usize>,
        mean: &[u8],
        random: &mut Stream,
    ) {
        let channels = image.channels;
        for row in image.bytes.chunks_exact_mut(image.width * channels).skip(rows.start).take(rows.len()) {
            for pixel in row.chunks_exact_mut(channels).skip(columns.start).take(columns.len()) {
                match self {
                    Cover::Mean => pixel.copy_from_slice(mean),
                    Cover::Black => pixel.fill(0),
                    Cover::Noise => {
                        for values in pixel.chunks_mut(4) {
                            values.copy_from_slice(&random.bits().to_le_bytes()[..values.len()]);
                        }
                    }
                }
            }
        }
    }
}

/// The mean of each channel.
pub fn mean_colour(image: &Pixels) -> Vec<u8> {
    let mut sums = vec![0_u64; image.channels];
    for pixel in image.bytes.chunks_exact(image.channels) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let count = (image.height * image.width).max(1) as u64;
    sums.into_iter().map(|sum| ((sum + count / 2) / count) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{stream, waves};
    use super::*;

    #[test]
    fn a_rectangle_is_covered_and_nothing_else() {
        for cover in [Cover::Mean, Cover::Black, Cover::Noise] {
            let image = waves(6, 9, 3);
            let mut covered = image.clone();
            cover.fill(&mut covered, &(1..4), &(2..9), &mean_colour(&image), &mut stream(0));
            let changed = |i: usize| covered.bytes[3 * i..3 * i + 3] != image.bytes[3 * i..3 * i + 3];
            for i in 0..54 {
                let inside = (1..4).contains(&(i / 9)) && (2..9).contains(&(i % 9));
                assert!(inside || !changed(i), "{cover:?}");
            }
            assert!((0..54).filter(|&i| changed(i)).count() >= 20, "{cover:?}");
        }
    }

    #[test]
    fn noise_is_even_over_all_values() {
        let mut image = Pixels::black(100, 100, 3);
        Cover::Noise.fill(&mut image, &(0..100), &(0..100), &[], &mut stream(1));
        let mean = image.bytes.iter().map(|&value| f64::from(value)).sum::<f64>() / 30_000.0;
        let square = image.bytes.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / 30_000.0;
        assert!((mean - 127.5).abs() < 2.0, "{mean}");
        // The variance of 0..=255 is (256^2 - 1) / 12.
        assert!((square - mean * mean - 5461.25).abs() < 110.0, "{square}");
    }
}
