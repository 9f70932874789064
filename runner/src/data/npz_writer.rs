//! Writes `.npz` files: several `NumPy` arrays in a zip archive, as `numpy.savez` does.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, version 1.0.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// `NumPy` begins the values of an array at a multiple of this.
const ALIGNMENT: usize = 64;

/// The magic number, the version and the length of the header.
const BEFORE_HEADER: usize = 10;

/// The values of an array.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Single precision (`<f4`).
    Floats(&'a [f32]),
    /// Whole numbers (`<i8`).
    Integers(&'a [i64]),
    /// Texts (`<U`), as wide as the longest.
    Texts(&'a [String]),
}

/// Writes arrays with their names and shapes into a file, whole or not at all. Shapes are in C order
/// and have as many places as there are values.
pub fn write(file: &Path, arrays: &[(&str, Vec<usize>, Values<'_>)]) -> io::Result<()> {
    crate::atomic::write(file, |file: &mut File| {
        let mut archive = ZipWriter::new(BufWriter::new(file));
        for (name, shape, values) in arrays {
            entry(&mut archive, name, shape, *values)?;
        }
        archive.finish()?.flush()
    })
}

fn entry<W: Write + Seek>(
    archive: &mut ZipWriter<W>,
    name: &str,
    shape: &[usize],
    values: Values<'_>,
) -> io::Result<()> {
    // Stored, as by `numpy.savez`: floats hardly get smaller.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    archive.start_file(format!("{name}.npy"), options)?;
    let (dtype, width) = match values {
        Values::Floats(_) => ("<f4".to_owned(), 0),
        Values::Integers(_) => ("<i8".to_owned(), 0),
        Values::Texts(texts) => {
            let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
            (format!("<U{width}"), width)
        }
    };
    archive.write_all(&header(&dtype, shape))?;
    let mut out = BufWriter::new(archive);
    match values {
        Values::Floats(values) => values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?,
        Values::Integers(values) => values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?,
        Values::Texts(texts) => {
            for text in texts {
                let padded = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
                padded.into_iter().try_for_each(|letter| out.write_all(&letter.to_le_bytes()))?;
            }
        }
    }
    out.flush()
}

/// What comes before the values.
fn header(dtype: &str, shape: &[usize]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    // Of one axis, a tuple keeps its comma.
    let axes = if shape.len() == 1 { axes.trim_end() } else { axes.trim_end_matches(", ") };
    let mut text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({axes}), }}");
    let spaces = (BEFORE_HEADER + text.len() + 1).next_multiple_of(ALIGNMENT) - (BEFORE_HEADER + text.len() + 1);
    text.push_str(&" ".repeat(spaces));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // A shape of a few numbers is far from the limit of the format.
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::npy::Header;
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("codes.npz");
        let texts = ["a".to_owned(), "é日".to_owned()];
        write(
            &file,
            &[
                ("features", vec![2, 1, 3], Values::Floats(&[1.0, -2.5, 0.0, f32::MAX, 1e-20, 7.0])),
                ("labels", vec![2], Values::Integers(&[-1, 3])),
                ("paths", vec![2], Values::Texts(&texts)),
            ],
        )
        .unwrap();
        let mut archive = zip::ZipArchive::new(File::open(&file).unwrap()).unwrap();
        let mut read = |name: &str| {
            let mut entry = archive.by_name(name).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let bytes = read("features.npy");
        let header = Header::read(&mut &*bytes).unwrap();
        assert_eq!((header.dtype.as_str(), &header.shape[..]), ("<f4", &[2, 1, 3][..]));
        assert_eq!(header.length % ALIGNMENT, 0);
        let floats: Vec<f32> =
            bytes[header.length..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(floats, [1.0, -2.5, 0.0, f32::MAX, 1e-20, 7.0]);
        let bytes = read("labels.npy");
        let header = Header::read(&mut &*bytes).unwrap();
        assert_eq!(header.integers(&bytes[header.length..]).unwrap(), [-1, 3]);
        // Our own reader takes no texts: four bytes a letter, the shorter text padded.
        let bytes = read("paths.npy");
        let (header, letters) = bytes.split_at(bytes.len() - 16);
        assert!(String::from_utf8_lossy(header).contains("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }"));
        let letters: Vec<u32> = letters.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(letters, ['a' as u32, 0, 'é' as u32, '日' as u32]);
    }
}
