//! `blood_cells`: the three kinds of cells in smears of blood, cut out of BCCD.
//!
//! BCCD holds 364 photographs of smears with a box around every cell. Every leukocyte and every
//! platelet is cut out, and as many erythrocytes as there are of the more frequent of the two,
//! drawn at random; all with some of their surroundings. Cells of one photograph share stain and
//! focus, so the photograph is their group.

use super::archive::Archive;
use super::{Entry, Row, voc};
use crate::random::{Key, Purpose};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{ExtendedColorType, ImageFormat, RgbImage};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The data set.
pub const ENTRY: Entry = Entry {
    name: "blood_cells",
    description: "erythrocytes, leukocytes and platelets in smears of blood, cut out of BCCD",
    classes: &["erythrocyte", "leukocyte", "platelet"],
    images: 1105,
    group: Some("source_image"),
    licence: "MIT",
    url: "https://github.com/Shenggan/BCCD_Dataset/archive/d272fb14cdff6e473fafeeeba32aba5f560e9e43.tar.gz",
    archives: &[
        "BCCD_Dataset-d272fb14cdff6e473fafeeeba32aba5f560e9e43.tar.gz",
        "d272fb14cdff6e473fafeeeba32aba5f560e9e43.tar.gz",
    ],
    needs,
    fingerprint: "33a9bc4c1016fc1c8ea78e763c4c734ffcec7bd49841a7b75c14b863f248d40e",
    version: 1,
    prepare,
};

const ANNOTATIONS: &str = "BCCD/Annotations/";
const IMAGES: &str = "BCCD/JPEGImages/";

/// Sides of the images that are cut out, in pixels.
const SIDE: u32 = 96;

/// How much larger than its cell an image is.
const MARGIN: f64 = 1.2;

/// A box that is smaller, in pixels, is a slip of the mouse.
const SMALLEST: f64 = 4.0;

/// Draws the erythrocytes. Another number would be another data set.
const SEED: u64 = 2017;

fn needs(path: &str) -> bool {
    let ends_in = |extension: &str| Path::new(path).extension().is_some_and(|found| found == extension);
    path == "LICENSE"
        || (path.starts_with(ANNOTATIONS) && ends_in("xml"))
        || (path.starts_with(IMAGES) && ends_in("jpg"))
}

/// A cell that is to be cut out.
#[derive(Debug, Clone, PartialEq)]
struct Cell {
    class: &'static str,
    /// The photograph, without extension.
    source: String,
    /// Its place among the objects of the photograph.
    place: usize,
    edges: [f64; 4],
}

/// Cuts the cells out into `folder`.
fn prepare(archive: &Archive, folder: &Path) -> Result<Vec<Row>, String> {
    let (cells, skipped) = cells(archive)?;
    if skipped > 0 {
        tracing::info!("blood_cells: {skipped} boxes without extent are passed over");
    }
    for class in ENTRY.classes {
        fs::create_dir_all(folder.join(class)).map_err(|error| error.to_string())?;
    }
    let mut by_source: BTreeMap<&str, Vec<&Cell>> = BTreeMap::new();
    for cell in &cells {
        by_source.entry(&cell.source).or_default().push(cell);
    }
    let rows: Vec<Vec<Row>> = by_source
        .into_par_iter()
        .map(|(source, cells)| cut_out(archive, source, &cells, folder))
        .collect::<Result<_, String>>()?;
    let mut rows: Vec<Row> = rows.into_iter().flatten().collect();
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(rows)
}

/// The cells that are cut out, and how many boxes are no use.
fn cells(archive: &Archive) -> Result<(Vec<Cell>, usize), String> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut skipped = 0;
    for (path, bytes) in archive {
        let Some(source) = path.strip_prefix(ANNOTATIONS).and_then(|name| name.strip_suffix(".xml")) else { continue };
        let xml = std::str::from_utf8(bytes).map_err(|error| format!("{path}: {error}"))?;
        let objects = voc::objects(xml).map_err(|error| format!("{path}: {error}"))?;
        for (place, object) in objects.into_iter().enumerate() {
            let class = match object.name.as_str() {
                "RBC" => "erythrocyte",
                "WBC" => "leukocyte",
                "Platelets" => "platelet",
                other => return Err(format!("{path}: `{other}` is no cell that is known")),
            };
            let [left, top, right, bottom] = object.edges;
            if right - left < SMALLEST || bottom - top < SMALLEST {
                skipped += 1;
            } else {
                cells.push(Cell { class, source: source.to_owned(), place, edges: object.edges });
            }
        }
    }
    Ok((drawn(cells), skipped))
}

/// All cells but erythrocytes, and of those as many as of the more frequent of the others.
fn drawn(cells: Vec<Cell>) -> Vec<Cell> {
    let (mut many, mut kept): (Vec<Cell>, Vec<Cell>) = cells.into_iter().partition(|cell| cell.class == "erythrocyte");
    let count = |class| kept.iter().filter(|cell| cell.class == class).count();
    let wanted = count("leukocyte").max(count("platelet"));
    Key::new(SEED, Purpose::Prepare).named(ENTRY.name).stream().shuffle(&mut many);
    many.truncate(wanted);
    kept.append(&mut many);
    kept
}

/// Cuts the cells of one photograph out.
fn cut_out(archive: &Archive, source: &str, cells: &[&Cell], folder: &Path) -> Result<Vec<Row>, String> {
    let path = format!("{IMAGES}{source}.jpg");
    let bytes = archive.get(&path).ok_or_else(|| format!("{path} is missing"))?;
    let photograph = image::load_from_memory_with_format(bytes, ImageFormat::Jpeg)
        .map_err(|error| format!("{path}: {error}"))?
        .into_rgb8();
    let mut rows = Vec::new();
    for cell in cells {
        let row = Row {
            path: format!("{}/{source}_{:02}.png", cell.class, cell.place),
            label: cell.class.to_owned(),
            group: source.to_owned(),
        };
        let [left, top, side] = square(cell.edges, photograph.dimensions());
        let pixels = crop(&photograph, left, top, side).map_err(|error| format!("{path}: {error}"))?;
        image::save_buffer_with_format(
            folder.join(&row.path),
            &pixels,
            SIDE,
            SIDE,
            ExtendedColorType::Rgb8,
            ImageFormat::Png,
        )
        .map_err(|error| format!("{}: {error}", row.path))?;
        rows.push(row);
    }
    Ok(rows)
}

/// The square around a box, as left, top and side: larger by the margin, moved into the
/// photograph where it sticks out, and no larger than it.
fn square([left, top, right, bottom]: [f64; 4], (width, height): (u32, u32)) -> [f64; 3] {
    let (width, height) = (f64::from(width), f64::from(height));
    let side = ((right - left).max(bottom - top) * MARGIN).min(width).min(height);
    let start = |low: f64, high: f64, size: f64| (f64::midpoint(low, high) - side / 2.0).min(size - side).max(0.0);
    [start(left, right, width), start(top, bottom, height), side]
}

/// A square of a photograph, resized. Filters with zeros inside their support (Catmull-Rom, Lanczos)
/// are no choice: `fast_image_resize` 6.1.0 reads beside the image where a weight is exactly 0.
fn crop(photograph: &RgbImage, left: f64, top: f64, side: f64) -> Result<Vec<u8>, String> {
    let (width, height) = photograph.dimensions();
    let source = ImageRef::new(width, height, photograph, PixelType::U8x3).map_err(|error| error.to_string())?;
    let mut target = Image::new(SIDE, SIDE, PixelType::U8x3);
    let options =
        ResizeOptions::new().crop(left, top, side, side).resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| error.to_string())?;
    Ok(target.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_centred_on_the_cell_and_stay_inside() {
        let square = |edges: [f64; 4]| square(edges, (640, 480)).map(|value| (value * 1e6).round() as i64);
        assert_eq!(square([100.0, 100.0, 150.0, 140.0]), [95_000_000, 90_000_000, 60_000_000]);
        assert_eq!(square([0.0, 0.0, 50.0, 50.0]), [0, 0, 60_000_000]);
        assert_eq!(square([590.0, 430.0, 640.0, 480.0]), [580_000_000, 420_000_000, 60_000_000]);
        assert_eq!(square([0.0, 0.0, 600.0, 470.0]), [60_000_000, 0, 480_000_000]);
    }

    #[test]
    fn erythrocytes_are_drawn_to_the_number_of_the_more_frequent_others() {
        let cell = |class, place| Cell { class, source: "a".into(), place, edges: [0.0; 4] };
        let mut cells: Vec<Cell> = (0..50).map(|place| cell("erythrocyte", place)).collect();
        cells.extend((50..53).map(|place| cell("leukocyte", place)));
        cells.extend((53..60).map(|place| cell("platelet", place)));
        let drawn = drawn(cells);
        let count = |class| drawn.iter().filter(|cell| cell.class == class).count();
        assert_eq!((count("erythrocyte"), count("leukocyte"), count("platelet")), (7, 3, 7));
    }
}
