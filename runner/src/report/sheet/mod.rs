//! A sheet of pictures in named rows.

mod letters;

use crate::augment::Pixels;
use std::io;

/// A row of a sheet.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name, in large letters.
    pub name: String,
    /// What else there is to say, in small letters.
    pub about: String,
    /// Its pictures, from the left.
    pub pictures: Vec<Pixels>,
}

impl Row {
    fn caption_width(&self) -> usize {
        letters::ADVANCE * (LARGE * self.name.chars().count() + 1 + self.about.chars().count()) + GAP
    }
}

/// Pixels between pictures and about captions.
const GAP: usize = 4;

/// A picture's shorter side is at least so long, enlarged by whole factors where it is not.
const LEAST_SIDE: usize = 32;

/// The large letters' size.
const LARGE: usize = 2;

/// The sheet gets as wide as its captions, up to so many pixels.
const LONGEST_CAPTION: usize = 480;

const PAPER: u8 = 255;
const INK: u8 = 0;
const FAINT: u8 = 96;

/// Draws the rows below each other, on white.
pub fn draw(rows: &[Row]) -> Pixels {
    let caption = letters::HEIGHT * LARGE + GAP;
    let pictures: Vec<Vec<Pixels>> = rows.iter().map(|row| row.pictures.iter().map(enlarged).collect()).collect();
    let height_of = |row: &[Pixels]| row.iter().map(|picture| picture.height).max().unwrap_or(0);
    let width_of = |row: &[Pixels]| row.iter().map(|picture| picture.width + GAP).sum::<usize>();
    let widest = pictures.iter().map(|row| width_of(row)).max().unwrap_or(0);
    let width = GAP + rows.iter().map(|row| row.caption_width().min(LONGEST_CAPTION)).fold(widest, usize::max);
    let height = GAP + pictures.iter().map(|row| caption + height_of(row) + 2 * GAP).sum::<usize>();
    let mut sheet = Pixels { height, width, channels: 3, bytes: vec![PAPER; height * width * 3] };
    let mut top = GAP;
    for (row, pictures) in rows.iter().zip(&pictures) {
        let end = write(&mut sheet, [top, GAP], &row.name, LARGE, INK);
        write(&mut sheet, [top + letters::HEIGHT, end + letters::ADVANCE], &row.about, 1, FAINT);
        top += caption;
        let mut left = GAP;
        for picture in pictures {
            paste(&mut sheet, [top, left], picture);
            left += picture.width + GAP;
        }
        top += height_of(pictures) + 2 * GAP;
    }
    sheet
}

/// The picture as a PNG.
pub fn png(picture: &Pixels) -> io::Result<Vec<u8>> {
    use image::ImageEncoder;
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    let colours = if picture.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    encoder
        .write_image(&picture.bytes, picture.width as u32, picture.height as u32, colours)
        .map_err(io::Error::other)?;
    Ok(bytes)
}

/// The picture in colour, enlarged by a whole factor if it is small: its pixels stay visible.
fn enlarged(picture: &Pixels) -> Pixels {
    let factor = LEAST_SIDE.div_ceil(picture.height.min(picture.width).max(1));
    let picture = picture.clone().with_channels(3);
    let (height, width) = (picture.height * factor, picture.width * factor);
    let mut bytes = Vec::with_capacity(height * width * 3);
    for y in 0..height {
        for x in 0..width {
            bytes.extend_from_slice(&picture.bytes[(y / factor * picture.width + x / factor) * 3..][..3]);
        }
    }
    Pixels { height, width, channels: 3, bytes }
}

/// Writes a line of letters; what does not fit on the sheet is left out. Gives the column behind it.
fn write(sheet: &mut Pixels, [top, left]: [usize; 2], text: &str, size: usize, ink: u8) -> usize {
    let mut left = left;
    for letter in text.chars() {
        for [row, column] in letters::dots(letter) {
            for (down, right) in (0..size).flat_map(|down| (0..size).map(move |right| (down, right))) {
                let (y, x) = (top + row * size + down, left + column * size + right);
                if y < sheet.height && x < sheet.width {
                    sheet.bytes[(y * sheet.width + x) * 3..][..3].fill(ink);
                }
            }
        }
        left += letters::ADVANCE * size;
    }
    left
}

/// Copies a picture in colour to a place where it fits.
fn paste(sheet: &mut Pixels, [top, left]: [usize; 2], picture: &Pixels) {
    for (y, row) in picture.bytes.chunks_exact(picture.width * 3).enumerate() {
        sheet.bytes[((top + y) * sheet.width + left) * 3..][..row.len()].copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_below_their_names() {
        let mut red = Pixels::black(50, 60, 3);
        red.bytes.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&[200, 0, 0]));
        let grey = Pixels { height: 10, width: 20, channels: 1, bytes: vec![77; 200] };
        let rows = [
            Row { name: "i".into(), about: String::new(), pictures: vec![red] },
            Row { name: String::new(), about: "m".repeat(1000), pictures: vec![grey.clone(), grey] },
        ];
        let sheet = draw(&rows);
        // 10 rows are enlarged four-fold; the caption is cut.
        assert_eq!(sheet.size(), [4 + 2 * (18 + 8) + 50 + 40, 4 + 480]);
        let at = |y: usize, x: usize| &sheet.bytes[(y * sheet.width + x) * 3..][..3];
        assert_eq!(at(22, 4), [200, 0, 0]);
        assert_eq!(at(71, 63), [200, 0, 0]);
        assert_eq!(at(72, 63), [255; 3]);
        assert_eq!(at(22 + 76, 4), [77; 3]);
        assert_eq!(at(22 + 76, 88), [77; 3]);
        assert_eq!(at(22 + 76, 84), [255; 3]);
        // The letter I: a bar of three dots, of two pixels each, over a stem.
        assert_eq!((at(4, 6), at(4, 11), at(6, 6), at(6, 8)), (&[0; 3][..], &[0; 3][..], &[255; 3][..], &[0; 3][..]));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let sheet = draw(&[Row { name: "x".into(), about: String::new(), pictures: vec![Pixels::black(48, 48, 3)] }]);
        let read = crate::data::decode::decode("sheet.png", &png(&sheet).unwrap()).unwrap();
        assert_eq!(read, sheet);
    }
}
