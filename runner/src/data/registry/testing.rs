//! A small data set of the registry, made by the tests.

use super::{Entry, all, fingerprint};
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use std::fmt::Write as _;
use std::io::Cursor;

/// A `.tar.gz` of files, whose paths may lead anywhere.
pub fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        // `set_path` would refuse what a hostile archive may hold.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// The files of a small BCCD: `photographs` photographs of 80x60 pixels, each with a leukocyte, two
/// platelets and four erythrocytes, one of them without extent.
pub fn files(photographs: usize) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("LICENSE".to_owned(), b"MIT License".to_vec())];
    for number in 0..photographs {
        let image = RgbImage::from_fn(80, 60, |x, y| Rgb([x as u8 * 3, y as u8 * 4, number as u8 * 20]));
        let mut jpeg = Cursor::new(Vec::new());
        image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        files.push((format!("BCCD/JPEGImages/Photo_{number}.jpg"), jpeg.into_inner()));
        let mut xml = "<annotation>".to_owned();
        for (name, [left, top, right, bottom]) in [
            ("WBC", [10, 10, 40, 35]),
            ("RBC", [0, 0, 20, 20]),
            ("RBC", [50, 30, 50, 30]),
            ("Platelets", [60, 40, 68, 47]),
            ("RBC", [50, 30, 75, 58]),
            ("Platelets", [1, 50, 9, 59]),
            ("RBC", [30, 5, 55, 31]),
        ] {
            write!(
                xml,
                "<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>\
                 <xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
            )
            .unwrap();
        }
        xml.push_str("</annotation>");
        files.push((format!("BCCD/Annotations/Photo_{number}.xml"), xml.into_bytes()));
    }
    files
}

/// A small `blood_cells` of five photographs, 25 images, and its archive, which `url` gives.
pub fn small(url: String) -> (Entry, Vec<u8>) {
    let files = files(5);
    let named: Vec<(String, &[u8])> =
        files.iter().map(|(path, bytes)| (format!("BCCD-main/{path}"), bytes.as_slice())).collect();
    let fingerprint = fingerprint(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    let entry =
        Entry { images: 25, url: url.leak(), archives: &["small.tar.gz"], fingerprint: fingerprint.leak(), ..all()[0] };
    let archive = tar_gz(&named.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect::<Vec<_>>());
    (entry, archive)
}
