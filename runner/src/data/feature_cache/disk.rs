//! Rows in a file.
//!
//! The file is named by what its rows depend on besides the image: the net's frozen prefix and how images are
//! prepared. A line of text at its begin says so again; then come rows of one length: a key (of the image's
//! content and of how it was drawn), a checksum, the values. Rows are only ever appended, so that a run that is
//! killed leaves whole rows and at most a part of one; what is not whole is computed again. The file is read,
//! not mapped: one that is cut short while it is open gives an error and not a signal.

use super::Row;
use super::values::{decode, encode};
use crate::data::ImageSource;
use crate::data::Sample;
use crate::spec::Precision;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Bytes of the line at the begin of a file.
const HEADER: usize = 160;
/// Bytes of a row's key.
const KEY: usize = 32;
/// Bytes before a row's values: key and checksum.
const BEFORE: usize = KEY + 4;

type RowKey = [u8; KEY];

/// Tells images apart by what is in them.
pub struct Digests {
    images: Arc<dyn ImageSource>,
    samples: Vec<Sample>,
    /// What augmented draws depend on besides the image and its place.
    draws: String,
    known: HashMap<usize, [u8; KEY]>,
}

impl Digests {
    /// Over the samples of a data set. `draws` is what augmented draws depend on.
    pub fn new(images: Arc<dyn ImageSource>, samples: Vec<Sample>, draws: String) -> Self {
        Digests { images, samples, draws, known: HashMap::new() }
    }

    /// The key of a row; `None` where the image cannot be read.
    fn key(&mut self, row: Row) -> Option<RowKey> {
        let image = match self.known.get(&row.sample) {
            Some(known) => *known,
            None => *self.known.entry(row.sample).or_insert(self.images.digest(self.samples.get(row.sample)?).ok()?),
        };
        let mut hash = Sha256::new();
        hash.update(image);
        if let Some(draw) = row.draw {
            hash.update((draw as u64).to_le_bytes());
            hash.update((row.sample as u64).to_le_bytes());
            hash.update(&self.draws);
        }
        Some(hash.finalize().into())
    }
}

/// Rows in a file.
pub struct Disk {
    file: File,
    /// Set where the file is this run's alone and goes with it.
    own: Option<PathBuf>,
    width: usize,
    precision: Precision,
    digests: Digests,
    /// The key of each row that was asked for.
    keys: HashMap<Row, RowKey>,
    /// The place of each row in the file.
    places: HashMap<RowKey, u64>,
    count: u64,
}

impl Disk {
    /// Opens the file in `folder` for what `recipe` (64 hexadecimal digits) stands for; it may hold rows of
    /// earlier runs. Where another run has it open, this one gets a file of its own that goes with it. Files
    /// that were not used for longest go first where all would be more than `most` bytes with the `coming` ones.
    ///
    /// # Errors
    /// Where the file cannot be made, read or written.
    pub fn open(
        folder: &Path,
        recipe: &str,
        (width, precision): (usize, Precision),
        digests: Digests,
        (coming, most): (u64, u64),
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{recipe}.rows"));
        let open = |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open(&path)?;
        let mut own = None;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let other = folder.join(format!("{recipe}.{}.rows", std::process::id()));
            file = open(&other)?;
            file.set_len(0)?;
            own = Some(other);
        }
        make_room(folder, own.as_ref().unwrap_or(&path), most.saturating_sub(coming))?;
        let _ = file.set_modified(SystemTime::now());
        let (keys, places) = (HashMap::new(), HashMap::new());
        let mut disk = Disk { file, own, width, precision, digests, keys, places, count: 0 };
        disk.take_stock(recipe)?;
        Ok(disk)
    }

    /// Whether a row is there, as far as can be told without reading it.
    pub fn has(&self, row: Row) -> bool {
        self.keys.get(&row).is_some_and(|key| self.places.contains_key(key))
    }

    /// Looks for some rows by the content of their images.
    pub fn look_for(&mut self, rows: &[Row]) {
        for &row in rows {
            if !self.keys.contains_key(&row)
                && let Some(key) = self.digests.key(row)
            {
                self.keys.insert(row, key);
            }
        }
    }

    /// Appends a row to `out`. False where it is not there, or damaged.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&mut self, row: Row, out: &mut Vec<f32>) -> io::Result<bool> {
        let Some(key) = self.keys.get(&row).copied() else { return Ok(false) };
        let Some(&place) = self.places.get(&key) else { return Ok(false) };
        let mut bytes = vec![0; self.row_len()];
        self.file.seek(SeekFrom::Start(self.begin_of(place)))?;
        let whole = match self.file.read_exact(&mut bytes) {
            Ok(()) => bytes[..KEY] == key && bytes[KEY..BEFORE] == checksum(&key, &bytes[BEFORE..]),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        if whole {
            decode(&bytes[BEFORE..], self.precision, out);
        } else {
            self.places.remove(&key);
        }
        Ok(whole)
    }

    /// Appends a row to the file.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&mut self, row: Row, values: &[f32]) -> io::Result<()> {
        self.look_for(&[row]);
        let Some(key) = self.keys.get(&row).copied() else { return Ok(()) };
        let values = encode(values, self.precision);
        let mut bytes = Vec::with_capacity(self.row_len());
        bytes.extend(key);
        bytes.extend(checksum(&key, &values));
        bytes.extend(values);
        self.file.seek(SeekFrom::Start(self.begin_of(self.count)))?;
        self.file.write_all(&bytes)?;
        self.places.insert(key, self.count);
        self.count += 1;
        Ok(())
    }

    fn row_len(&self) -> usize {
        BEFORE + self.width * self.precision.bytes()
    }

    fn begin_of(&self, place: u64) -> u64 {
        HEADER as u64 + place * self.row_len() as u64
    }

    /// Finds out which rows the file has. One that is none of these rows is begun anew.
    fn take_stock(&mut self, recipe: &str) -> io::Result<()> {
        let header = header(recipe, self.width, self.precision);
        let len = self.file.metadata()?.len();
        let mut found = vec![0; HEADER];
        self.file.seek(SeekFrom::Start(0))?;
        if len < HEADER as u64 || self.file.read_exact(&mut found).is_err() || found != header {
            if len > 0 {
                tracing::warn!("a file of cached features is damaged or foreign; it is made anew");
            }
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            return self.file.write_all(&header);
        }
        self.count = (len - HEADER as u64) / self.row_len() as u64;
        self.file.set_len(self.begin_of(self.count))?;
        for place in 0..self.count {
            let mut key = [0; KEY];
            self.file.seek(SeekFrom::Start(self.begin_of(place)))?;
            self.file.read_exact(&mut key)?;
            self.places.insert(key, place);
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(path) = &self.own {
            let _ = fs::remove_file(path);
        }
    }
}

fn header(recipe: &str, width: usize, precision: Precision) -> Vec<u8> {
    let mut line = format!("runner features 1 {recipe} {width} {}", precision.bytes()).into_bytes();
    line.resize(HEADER - 1, b' ');
    line.push(b'\n');
    line
}

fn checksum(key: &RowKey, values: &[u8]) -> [u8; 4] {
    let mut hash = crc32fast::Hasher::new();
    hash.update(key);
    hash.update(values);
    hash.finalize().to_le_bytes()
}

/// Removes the files that were not used for longest until all but `kept` have at most `most` bytes. Those that
/// a run has open stay.
fn make_room(folder: &Path, kept: &Path, most: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path != kept && path.extension().is_some_and(|extension| extension == "rows") {
            let facts = fs::metadata(&path)?;
            files.push((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), facts.len(), path));
        }
    }
    files.sort();
    let mut total = files.iter().fold(0, |sum: u64, (_, len, _)| sum.saturating_add(*len));
    for (_, len, path) in files {
        if total <= most {
            break;
        }
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) && fs::remove_file(&path).is_ok() {
            total -= len;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
