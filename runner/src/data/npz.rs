//! A `.npz` file in MedMNIST's layout: `train_images` (N, H, W) or (N, H, W, C) of bytes,
//! `train_labels` (N) or (N, 1) of whole numbers, and the same for `val` and `test`.
//!
//! Layout: <https://github.com/MedMNIST/MedMNIST>. The file is not trusted: sizes are checked
//! against what it holds before memory is asked for.

use super::npy::Header;
use super::sample::Pointer;
use super::{BadImage, DataError, ImageSource, Sample, Samples, SplitName, split};
use crate::augment::Pixels;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// The most channels that an image may have.
const MOST_CHANNELS: usize = 512;

/// Deflate cannot pack more bytes than these into one: 258 take at least two bits.
const DEFLATE_RATIO: u64 = 1032;

/// The images of a file, in memory.
#[derive(Debug, Clone)]
pub struct Arrays {
    parts: Vec<Part>,
}

/// The images of one split.
#[derive(Debug, Clone)]
struct Part {
    count: usize,
    height: usize,
    width: usize,
    channels: usize,
    bytes: Vec<u8>,
}

impl ImageSource for Arrays {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        let bad = || BadImage { name: sample.name.clone(), reason: "there is no such image".into() };
        let Pointer::Number(mut number) = sample.pointer else { return Err(bad()) };
        for part in &self.parts {
            if number < part.count {
                let size = part.height * part.width * part.channels;
                let bytes = part.bytes.get(number * size..(number + 1) * size).ok_or_else(bad)?;
                let &Part { height, width, channels, .. } = part;
                return Ok(Pixels { height, width, channels, bytes: bytes.to_vec() });
            }
            number -= part.count;
        }
        Err(bad())
    }

    fn size(&self, sample: &Sample) -> Option<[usize; 3]> {
        self.read(sample).ok().map(|image| [image.height, image.width, image.channels])
    }

    fn always_readable(&self) -> bool {
        true
    }

    fn in_memory(&self) -> bool {
        true
    }
}

/// How many channels the images of each split have.
pub fn channels(file: &Path) -> Result<Vec<usize>, DataError> {
    let mut reader = Reader::open(file)?;
    let mut channels = Vec::new();
    for name in reader.splits()? {
        let array = format!("{name}_images");
        let header = reader.header(&array)?;
        channels.push(images(&header).map_err(|reason| reader.wrong(&array, &reason))?.channels);
    }
    Ok(channels)
}

/// Lists the samples of a file without reading its images.
pub fn list(file: &Path) -> Result<Samples, DataError> {
    Reader::open(file)?.samples()
}

/// Reads a file whole.
pub fn open(file: &Path) -> Result<(Samples, Arrays), DataError> {
    let mut reader = Reader::open(file)?;
    let samples = reader.samples()?;
    let mut parts = Vec::new();
    for name in reader.splits()? {
        let array = format!("{name}_images");
        let header = reader.header(&array)?;
        let part = images(&header).and_then(|part| {
            let bytes = reader.values(&array, &header)?;
            Ok(Part { bytes, ..part })
        });
        parts.push(part.map_err(|reason| reader.wrong(&array, &reason))?);
    }
    Ok((samples, Arrays { parts }))
}

/// A file that is being read.
struct Reader<'a> {
    file: &'a Path,
    archive: ZipArchive<BufReader<File>>,
    size: u64,
}

impl<'a> Reader<'a> {
    fn open(file: &'a Path) -> Result<Self, DataError> {
        let opened = File::open(file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => DataError::Unavailable(format!("{} does not exist", file.display())),
            _ => DataError::invalid(format!("{} cannot be read: {error}", file.display())),
        })?;
        let broken = |error: &dyn std::fmt::Display| {
            DataError::invalid(format!("{} cannot be read as an .npz file: {error}", file.display()))
        };
        let size = opened.metadata().map_err(|error| broken(&error))?.len();
        let archive = ZipArchive::new(BufReader::new(opened)).map_err(|error| broken(&error))?;
        Ok(Reader { file, archive, size })
    }

    fn wrong(&self, array: &str, reason: &str) -> DataError {
        DataError::invalid(format!("{}: `{array}`: {reason}", self.file.display()))
    }

    /// The splits there are, `train` first.
    fn splits(&mut self) -> Result<Vec<&'static str>, DataError> {
        let has = |name: &&str| self.archive.index_for_name(&format!("{name}_images.npy")).is_some();
        let splits: Vec<&'static str> = ["train", "val", "test"].into_iter().filter(has).collect();
        if splits.first() == Some(&"train") {
            return Ok(splits);
        }
        let mut found: Vec<String> =
            self.archive.file_names().map(|name| format!("`{}`", name.trim_end_matches(".npy"))).take(12).collect();
        found.sort_unstable();
        Err(DataError::invalid(format!(
            "{} holds no array `train_images`; found {}",
            self.file.display(),
            if found.is_empty() { "nothing".to_owned() } else { found.join(", ") }
        )))
    }

    /// All samples, labelled.
    fn samples(&mut self) -> Result<Samples, DataError> {
        let mut rows: Vec<(&'static str, i64)> = Vec::new();
        for name in self.splits()? {
            let array = format!("{name}_images");
            let header = self.header(&array)?;
            let part = images(&header).map_err(|reason| self.wrong(&array, &reason))?;
            let array = format!("{name}_labels");
            let header = self.header(&array)?;
            let labels = column(&header, part.count)
                .and_then(|()| self.values(&array, &header))
                .and_then(|values| header.integers(&values))
                .and_then(not_negative)
                .map_err(|reason| self.wrong(&array, &reason))?;
            rows.extend(labels.into_iter().map(|label| (name, label)));
        }
        Ok(labelled(&rows))
    }

    /// The header of an array, checked against what the file holds.
    fn header(&mut self, array: &str) -> Result<Header, DataError> {
        let (file, limit) = (self.file.display(), self.size);
        let wrong = |reason: &str| DataError::invalid(format!("{file}: `{array}`: {reason}"));
        let mut entry = self.archive.by_name(&format!("{array}.npy")).map_err(|error| match error {
            ZipError::FileNotFound => DataError::invalid(format!("{file} holds no array `{array}`")),
            error => wrong(&error.to_string()),
        })?;
        if entry.compressed_size() > limit || entry.size() / DEFLATE_RATIO > entry.compressed_size() {
            return Err(wrong(&format!("it claims {} bytes, more than the file can hold", entry.size())));
        }
        let claimed = entry.size();
        let header = Header::read(&mut entry).map_err(|reason| wrong(&reason))?;
        if (header.length as u64).checked_add(header.bytes as u64) != Some(claimed) {
            return Err(wrong(&format!(
                "its shape ({}) asks for {} bytes, but it holds {}",
                sizes(&header.shape),
                header.bytes,
                claimed.saturating_sub(header.length as u64)
            )));
        }
        Ok(header)
    }

    /// The values of an array whose header was checked.
    fn values(&mut self, array: &str, header: &Header) -> Result<Vec<u8>, String> {
        let mut entry = self.archive.by_name(&format!("{array}.npy")).map_err(|error| error.to_string())?;
        std::io::copy(&mut entry.by_ref().take(header.length as u64), &mut std::io::sink())
            .map_err(|error| error.to_string())?;
        let values = header.values(&mut entry)?;
        // The checksum is compared at the end of the entry.
        entry.read(&mut [0]).map_err(|error| error.to_string())?;
        Ok(values)
    }
}

/// What an array of images holds, without its bytes.
fn images(header: &Header) -> Result<Part, String> {
    if header.dtype != "|u1" {
        return Err(format!("images must be bytes (`|u1`), not `{}`", header.dtype));
    }
    let (count, height, width, channels) = match *header.shape {
        [count, height, width] => (count, height, width, 1),
        [count, height, width, channels @ 1..=MOST_CHANNELS] => (count, height, width, channels),
        _ => {
            return Err(format!(
                "images must be (N, H, W) or (N, H, W, C) with 1 to {MOST_CHANNELS} channels, not ({})",
                sizes(&header.shape)
            ));
        }
    };
    if count == 0 || height == 0 || width == 0 {
        return Err(format!("there is nothing in it: ({})", sizes(&header.shape)));
    }
    Ok(Part { count, height, width, channels, bytes: Vec::new() })
}

/// Labels are one column with a row an image.
fn column(header: &Header, images: usize) -> Result<(), String> {
    let rows = match *header.shape {
        [rows] | [rows, 1] => rows,
        [_, labels] => return Err(format!("{labels} labels an image: only one class an image can be learnt yet")),
        _ => return Err(format!("labels must be (N) or (N, 1), not ({})", sizes(&header.shape))),
    };
    if rows == images { Ok(()) } else { Err(format!("{rows} labels for {images} images")) }
}

fn not_negative(labels: Vec<i64>) -> Result<Vec<i64>, String> {
    match labels.iter().find(|label| **label < 0) {
        Some(label) => Err(format!("the label {label} is negative")),
        None => Ok(labels),
    }
}

/// The classes are the labels that occur, by value.
fn labelled(rows: &[(&'static str, i64)]) -> Samples {
    let mut values: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
    values.sort_unstable();
    values.dedup();
    let mut within: (&str, usize) = ("", 0);
    let samples = rows
        .iter()
        .enumerate()
        .map(|(number, (part, label))| {
            if within.0 != *part {
                within = (part, number);
            }
            Sample {
                name: format!("{part}_images[{}]", number - within.1),
                pointer: Pointer::Number(number),
                label: values.binary_search(label).unwrap_or_default(),
                group: None,
                split: Some(split::parse(part).unwrap_or(SplitName::Train)),
            }
        })
        .collect();
    Samples { classes: values.iter().map(ToString::to_string).collect(), samples }
}

fn sizes(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::npy::testing::array;
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;
    use zip::write::SimpleFileOptions;

    type Content<'a> = Vec<(&'a str, Vec<u8>)>;

    fn npz(arrays: &Content) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("set.npz");
        let mut zip = zip::ZipWriter::new(File::create(&file).unwrap());
        for (name, bytes) in arrays {
            let method = if name.ends_with("images") {
                zip::CompressionMethod::Deflated
            } else {
                zip::CompressionMethod::Stored
            };
            zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        (folder, file)
    }

    fn small() -> Content<'static> {
        vec![
            ("train_images", array("|u1", "(3, 1, 2)", &[1, 2, 3, 4, 5, 6])),
            (
                "train_labels",
                array("<i8", "(3, 1)", &[[2, 0, 0, 0, 0, 0, 0, 0], [10, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat()),
            ),
            ("val_images", array("|u1", "(1, 1, 1, 3)", &[7, 8, 9])),
            ("val_labels", array("|u1", "(1,)", &[10])),
        ]
    }

    fn with(name: &str, bytes: Vec<u8>) -> String {
        let mut arrays = small();
        arrays.iter_mut().find(|(n, _)| *n == name).unwrap().1 = bytes;
        error(&arrays)
    }

    fn error(arrays: &Content) -> String {
        let (folder, file) = npz(arrays);
        let message = open(&file).unwrap_err().to_string();
        message.replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn images_labels_and_splits_are_read() {
        let (_folder, file) = npz(&small());
        let (samples, images) = open(&file).unwrap();
        assert_eq!(samples, list(&file).unwrap());
        assert_eq!(channels(&file).unwrap(), [1, 3]);
        assert_eq!(samples.classes, ["0", "2", "10"]);
        let facts: Vec<_> = samples.samples.iter().map(|s| (s.name.as_str(), s.label, s.split.unwrap())).collect();
        assert_eq!(
            facts,
            [
                ("train_images[0]", 1, SplitName::Train),
                ("train_images[1]", 2, SplitName::Train),
                ("train_images[2]", 0, SplitName::Train),
                ("val_images[0]", 2, SplitName::Val),
            ]
        );
        let read = |place: usize| images.read(&samples.samples[place]).unwrap();
        assert_eq!(read(1), Pixels { height: 1, width: 2, channels: 1, bytes: vec![3, 4] });
        assert_eq!(read(3), Pixels { height: 1, width: 1, channels: 3, bytes: vec![7, 8, 9] });
        let beyond = Sample { pointer: Pointer::Number(4), ..samples.samples[0].clone() };
        assert!(images.read(&beyond).is_err());
    }

    #[test]
    fn lies_are_told_and_cost_no_memory() {
        assert_eq!(
            with("train_images", array("|u1", "(3, 1000000000, 1000)", &[1, 2])),
            "DIR/set.npz: `train_images`: its shape (3, 1000000000, 1000) asks for 3000000000000 bytes, but it holds 2"
        );
        assert_eq!(
            with("train_labels", array("|u1", "(2, 1)", &[0, 1])),
            "DIR/set.npz: `train_labels`: 2 labels for 3 images"
        );
        assert_eq!(
            with("train_labels", b"nonsense".to_vec()),
            "DIR/set.npz: `train_labels`: it is not an array of NumPy"
        );
    }

    #[test]
    fn a_central_directory_that_claims_too_much_is_told() {
        let (_folder, file) = npz(&small());
        let mut bytes = std::fs::read(&file).unwrap();
        // The uncompressed size of the first entry of the central directory.
        let entry = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        bytes[entry + 24..entry + 28].copy_from_slice(&0xfff0_0000_u32.to_le_bytes());
        std::fs::write(&file, bytes).unwrap();
        let message = open(&file).unwrap_err().to_string();
        assert!(message.contains("it claims 4293918720 bytes, more than the file can hold"), "{message}");
    }

    #[test]
    fn what_cannot_be_learnt_is_told() {
        let wrong = |name, bytes| with(name, bytes).replace("DIR/set.npz: ", "");
        assert_eq!(
            wrong("train_labels", array("|u1", "(3, 2)", &[0; 6])),
            "`train_labels`: 2 labels an image: only one class an image can be learnt yet"
        );
        assert_eq!(
            wrong("train_labels", array("<f4", "(3,)", &[0; 12])),
            "`train_labels`: its values are of type `<f4`, not whole numbers"
        );
        assert_eq!(
            wrong("train_labels", array("|i1", "(3,)", &[0, 255, 1])),
            "`train_labels`: the label -1 is negative"
        );
        assert_eq!(
            wrong("train_images", array("<f4", "(3, 1, 1)", &[0; 12])),
            "`train_images`: images must be bytes (`|u1`), not `<f4`"
        );
        assert_eq!(
            wrong("train_images", array("|u1", "(3, 1, 1, 0)", &[])),
            "`train_images`: images must be (N, H, W) or (N, H, W, C) with 1 to 512 channels, not (3, 1, 1, 0)"
        );
        assert_eq!(
            wrong("val_images", array("|u1", "(0, 2, 2)", &[])),
            "`val_images`: there is nothing in it: (0, 2, 2)"
        );
    }

    #[test]
    fn other_files_are_told() {
        assert_eq!(
            error(&vec![("images", array("|u1", "(1,)", &[0]))]),
            "DIR/set.npz holds no array `train_images`; found `images`"
        );
        let mut arrays = small();
        arrays.retain(|(name, _)| *name != "val_labels");
        assert_eq!(error(&arrays), "DIR/set.npz holds no array `val_labels`");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.npz");
        assert!(matches!(list(&file), Err(DataError::Unavailable(_))));
        std::fs::write(&file, "no zip").unwrap();
        assert!(matches!(list(&file), Err(DataError::Invalid(message)) if message.contains("as an .npz file")));
        assert!(matches!(list(folder.path()), Err(DataError::Invalid(_))));
    }

    #[test]
    fn a_damaged_array_is_told() {
        let (_folder, file) = npz(&small());
        let mut bytes = std::fs::read(&file).unwrap();
        // The last byte of the labels of `val`, which are stored as they are.
        let entry = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        bytes[entry - 1] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(open(&file).unwrap_err().to_string().contains("`val_labels`"));
    }
}
