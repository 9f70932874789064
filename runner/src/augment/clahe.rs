//! `clahe`.

use super::arguments::{check_range, check_within};
use super::colour::to_byte;
use super::histogram::counts;
use super::pixels::luminance;
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Equalizes the luminance within tiles, contrast limited (CLAHE, Zuiderveld 1994): brings out detail
/// in dark and light parts alike. Between the tiles' centres it is interpolated. The colours' distance
/// from grey is kept.
///
/// `clahe: { clip: [1, 4] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clahe {
    /// Least and greatest limit of the contrast, in [1, 256]: how often a value may occur in a tile, as
    /// a multiple of the mean, before the rest is shared out among all values. 1 leaves the contrast
    /// almost as it is.
    #[serde(default = "Clahe::default_clip")]
    pub clip: [f32; 2],
    /// Tiles in each direction, in [1, 64]. A tile should hold some hundreds of pixels, else the limit
    /// makes no difference.
    #[serde(default = "Clahe::default_tiles")]
    pub tiles: usize,
}

impl Clahe {
    fn default_clip() -> [f32; 2] {
        [1.0, 4.0]
    }

    fn default_tiles() -> usize {
        8
    }
}

impl ImageAugment for Clahe {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_range(self.clip, 1.0..=256.0, at.key("clip"), problems);
        check_within(self.tiles, 1..=64, at.key("tiles"), problems);
    }

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        equalized(image, random.range(self.clip[0], self.clip[1]), self.tiles)
    }
}

fn equalized(mut image: Pixels, clip: f32, tiles: usize) -> Pixels {
    let (height, width) = (image.height, image.width);
    let grey: Vec<u8> = image.bytes.chunks_exact(image.channels).map(luminance).collect();
    let [rows, columns] = [tiles.clamp(1, height), tiles.clamp(1, width)];
    let mut tables = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let lines = grey.chunks_exact(width).take((row + 1) * height / rows).skip(row * height / rows);
            let across = column * width / columns..(column + 1) * width / columns;
            tables.push(table(counts(lines.flat_map(|line| line[across.clone()].iter().copied())), clip));
        }
    }
    let rows_of: Vec<_> = (0..height).map(|y| between(y, height, rows)).collect();
    let columns_of: Vec<_> = (0..width).map(|x| between(x, width, columns)).collect();
    for (i, pixel) in image.bytes.chunks_exact_mut(image.channels).enumerate() {
        let ([top, bottom], down) = rows_of[i / width];
        let ([left, right], over) = columns_of[i % width];
        let value = |row: usize, column: usize| tables[row * columns + column][usize::from(grey[i])];
        let upper = value(top, left) * (1.0 - over) + value(top, right) * over;
        let lower = value(bottom, left) * (1.0 - over) + value(bottom, right) * over;
        let change = upper * (1.0 - down) + lower * down - f32::from(grey[i]);
        for value in pixel {
            *value = to_byte(f32::from(*value) + change);
        }
    }
    image
}

/// What each value becomes by the frequencies in a tile.
fn table(mut counts: [u32; 256], clip: f32) -> [f32; 256] {
    let pixels: u32 = counts.iter().sum();
    let limit = ((clip * pixels as f32 / 256.0) as u32).max(1);
    let excess: u32 = counts.iter().map(|count| count.saturating_sub(limit)).sum();
    let share = excess as f32 / 256.0;
    let mut below = 0.0;
    for count in &mut counts {
        *count = (*count).min(limit);
    }
    counts.map(|count| {
        below += count as f32 + share;
        below * 255.0 / pixels.max(1) as f32
    })
}

/// The two tiles between whose centres a place lies, and how far it is on the way to the second.
fn between(at: usize, len: usize, tiles: usize) -> ([usize; 2], f32) {
    let place = ((at as f32 + 0.5) * tiles as f32 / len as f32 - 0.5).clamp(0.0, (tiles - 1) as f32);
    let first = place as usize;
    ([first, (first + 1).min(tiles - 1)], place - first as f32)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, waves};
    use super::*;

    fn spread(values: impl Iterator<Item = u8> + Clone) -> u8 {
        values.clone().max().unwrap_or(0) - values.min().unwrap_or(0)
    }

    #[test]
    fn detail_is_brought_out_in_dark_and_light_parts_alike() {
        // The left half is 10..=13, the right half 240..=243.
        let bytes = (0..64 * 64).map(|i| (if i % 64 < 32 { 10 } else { 240 }) + (i / 64 % 4) as u8).collect();
        let image = Pixels { height: 64, width: 64, channels: 1, bytes };
        let out = equalized(image, 40.0, 2);
        let column = |x: usize| out.bytes[x..].iter().step_by(64).copied();
        assert!(spread(column(4)) > 60 && spread(column(60)) > 60, "{} {}", spread(column(4)), spread(column(60)));
    }

    #[test]
    fn one_tile_without_limit_is_plain_equalization() {
        let bytes: Vec<u8> = (0..256).map(|i| (100 + i / 16) as u8).collect();
        let image = Pixels { height: 16, width: 16, channels: 1, bytes };
        // Each of 16 values is as frequent, so they are spread at even distances: 255 / 16.
        let out = equalized(image, 256.0, 1);
        let expected: Vec<u8> = (0..16).map(|n| to_byte((n + 1) as f32 * 255.0 / 16.0)).collect();
        assert_eq!(out.bytes.iter().step_by(16).copied().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_least_limit_hardly_changes_anything_and_colours_stay() {
        let image = Pixels { bytes: waves(64, 64, 1).bytes, ..Pixels::black(64, 64, 1) };
        let out = equalized(image.clone(), 1.0, 1);
        assert!(image.bytes.iter().zip(&out.bytes).all(|(a, b)| a.abs_diff(*b) < 60));
        let red = Pixels { height: 1, width: 2, channels: 3, bytes: vec![130, 100, 100, 150, 120, 120] };
        for pixel in equalized(red, 4.0, 1).bytes.chunks_exact(3) {
            assert!(pixel[0] == 255 || pixel[0] - pixel[1] == 30, "{pixel:?}");
        }
    }

    #[test]
    fn bad_values_are_named_by_key() {
        assert_eq!(refused(&Clahe { clip: [0.5, 4.0], tiles: 0 }), ["a.clip", "a.tiles"]);
        assert_eq!(refused(&Clahe { clip: [4.0, 2.0], tiles: 65 }), ["a.clip", "a.tiles"]);
        let image = waves(3, 1, 3);
        assert_eq!(apply(&Clahe { clip: [1.0, 4.0], tiles: 64 }, &image, 0).size(), [3, 1]);
    }
}
