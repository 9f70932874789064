//! A prepared data set: a folder of images with a manifest, and a marker that says what it is and
//! by which it is known to be whole.

use super::Entry;
use super::archive::{Archive, fingerprint, of_hashes};
use crate::data::sample::Pointer;
use crate::data::{Samples, manifest};
use crate::hex::sha256;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;

/// The file that says what a folder holds.
const MARKER: &str = "prepared.json";

/// The file that lists the images.
pub(super) const MANIFEST: &str = "manifest.csv";

/// The licence of the source, kept beside the images.
const LICENCE: &str = "LICENSE";

/// One image of a prepared set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The file, relative to the folder.
    pub path: String,
    /// The name of its class.
    pub label: String,
    /// What it belongs together with.
    pub group: String,
}

/// What a folder holds, and the fingerprint by which a damaged one is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    data_set: String,
    version: u32,
    source: String,
    images: usize,
    contents: String,
}

impl Marker {
    fn read(folder: &Path) -> Option<Marker> {
        serde_json::from_slice(&fs::read(folder.join(MARKER)).ok()?).ok()
    }

    /// Whether this is what the registry means by the name.
    fn is_of(&self, entry: &Entry) -> bool {
        (self.data_set.as_str(), self.version, self.source.as_str()) == (entry.name, entry.version, entry.fingerprint)
    }
}

/// Whether a folder says that it is this data set. Whether that is true, [`open`] finds out.
pub fn claims(entry: &Entry, folder: &Path) -> bool {
    Marker::read(folder).is_some_and(|marker| marker.is_of(entry))
}

/// The samples of a prepared set, after every file in it was compared with its marker.
pub fn open(entry: &Entry, folder: &Path) -> Result<Samples, String> {
    let marker = Marker::read(folder).filter(|marker| marker.is_of(entry)).ok_or("its marker is not the set's")?;
    let samples = manifest::list(&folder.join(MANIFEST), None).map_err(|error| error.to_string())?;
    if samples.samples.len() != marker.images || contents(folder, &samples)? != marker.contents {
        return Err("it is damaged: its files are not those that were prepared".into());
    }
    Ok(samples)
}

/// The fingerprint of a prepared set's files.
fn contents(folder: &Path, samples: &Samples) -> Result<String, String> {
    let mut names = vec![MANIFEST, LICENCE];
    for sample in &samples.samples {
        let Pointer::File(_) = sample.pointer else { continue };
        if !Path::new(&sample.name).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("`{}` leads out of its folder", sample.name));
        }
        names.push(&sample.name);
    }
    let hashes = names
        .par_iter()
        .map(|name| {
            let bytes = fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
            Ok((*name, sha256(&bytes)))
        })
        .collect::<Result<BTreeMap<&str, String>, String>>()?;
    Ok(of_hashes(&hashes))
}

/// Prepares a data set from its files, into `cache` where that can be written, else into a
/// temporary folder. Gives the folder, and what keeps a temporary one.
pub fn write(entry: &Entry, archive: &Archive, cache: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), String> {
    let files = archive.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    if fingerprint(files) != entry.fingerprint {
        return Err("its files are not those that are expected: their SHA-256 differs".into());
    }
    let within = cache.and_then(|cache| {
        fs::create_dir_all(cache).ok()?;
        let folder = tempfile::Builder::new().prefix(&format!(".{}-", entry.name)).tempdir_in(cache).ok()?;
        Some((cache.join(entry.name), folder))
    });
    if let Some((target, folder)) = within {
        prepare(entry, archive, folder.path())?;
        place(entry, folder, &target)?;
        return Ok((target, None));
    }
    let folder = tempfile::Builder::new().prefix("runner-").tempdir().map_err(|error| {
        format!("there is no folder that can be written, neither the cache nor a temporary one: {error}")
    })?;
    tracing::warn!("the cache folder cannot be written: {} is prepared for this run alone", entry.name);
    prepare(entry, archive, folder.path())?;
    Ok((folder.path().to_owned(), Some(folder)))
}

/// Writes images, manifest, licence and, last, the marker.
fn prepare(entry: &Entry, archive: &Archive, folder: &Path) -> Result<(), String> {
    let rows = (entry.prepare)(archive, folder)?;
    let failed = |error: &dyn std::fmt::Display| format!("{} cannot be written: {error}", folder.display());
    let mut list = csv::Writer::from_path(folder.join(MANIFEST)).map_err(|error| failed(&error))?;
    list.write_record(["path", "label", "group"]).map_err(|error| failed(&error))?;
    for row in &rows {
        list.write_record([&row.path, &row.label, &row.group]).map_err(|error| failed(&error))?;
    }
    list.flush().map_err(|error| failed(&error))?;
    drop(list);
    let licence = archive.get(LICENCE).map_or(entry.licence.as_bytes(), Vec::as_slice);
    fs::write(folder.join(LICENCE), licence).map_err(|error| failed(&error))?;

    let samples = manifest::list(&folder.join(MANIFEST), None).map_err(|error| error.to_string())?;
    let marker = Marker {
        data_set: entry.name.to_owned(),
        version: entry.version,
        source: entry.fingerprint.to_owned(),
        images: rows.len(),
        contents: contents(folder, &samples)?,
    };
    let text = serde_json::to_string_pretty(&marker).map_err(|error| failed(&error))?;
    write_through(&folder.join(MARKER), text.as_bytes()).map_err(|error| failed(&error))
}

/// Writes a file and waits until the disk has it. Only the marker needs that: by it, files that a
/// crash has cut short are recognised.
fn write_through(file: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(file, bytes)?;
    File::open(file)?.sync_all()
}

/// Moves a prepared folder to where it belongs. What lies there already is replaced, unless it is
/// whole: then another run was faster.
fn place(entry: &Entry, folder: TempDir, target: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("{} cannot be written: {error}", target.display());
    // A folder for temporary use is for its owner alone; a cache may be shared.
    share(folder.path()).map_err(failed)?;
    if fs::rename(folder.path(), target).is_ok() {
        // It is no temporary folder any more: nothing is left to clean up at the old place.
        let _ = folder.keep();
        return Ok(());
    }
    if open(entry, target).is_ok() {
        return Ok(());
    }
    let parent = target.parent().unwrap_or(Path::new("."));
    let old = tempfile::Builder::new().prefix(".old-").tempdir_in(parent).map_err(failed)?;
    fs::rename(target, old.path().join("set")).map_err(failed)?;
    fs::rename(folder.path(), target).map_err(failed)?;
    let _ = folder.keep();
    Ok(())
}

#[cfg(unix)]
fn share(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn share(_: &Path) -> io::Result<()> {
    Ok(())
}
