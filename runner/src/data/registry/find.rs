//! Finds a data set: in the user's folder, in the cache, else on the network.

use super::{Entry, archive, fetch, prepared};
use crate::data::{DataError, Places, Samples, manifest};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where a data set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder that was prepared by this program, and can be checked.
    Prepared(PathBuf),
    /// An archive from which it can be prepared.
    Archive(PathBuf),
    /// A folder with a manifest that somebody else made.
    Unchecked(PathBuf),
    /// Nowhere near.
    Download,
}

/// A data set that was had.
#[derive(Debug)]
pub struct Had {
    /// Its samples, without splits of their own.
    pub samples: Samples,
    /// A temporary folder that holds the images.
    pub keep: Option<TempDir>,
    /// What a person should know of where it comes from.
    pub note: Option<String>,
}

/// Where a data set is to be had from first. Neither the network nor an image is touched.
pub fn locate(entry: &Entry, places: &Places) -> Location {
    locations(entry, places).into_iter().next().unwrap_or(Location::Download)
}

/// Has a data set, from the first place that gives it whole. A place that fails is passed over with
/// a warning; an error names them all.
pub fn obtain(entry: &Entry, places: &Places) -> Result<Had, DataError> {
    let mut reasons: Vec<String> = Vec::new();
    if let Some(data) = places.data.as_ref().filter(|data| !data.is_dir()) {
        reasons.push(format!("RUNNER_DATA is {}, which is no folder", data.display()));
    }
    for location in locations(entry, places) {
        match have(entry, &location, places.cache.as_deref()) {
            Ok(had) => {
                for reason in reasons {
                    tracing::warn!("{}: {reason}", entry.name);
                }
                return Ok(had);
            }
            Err(reason) => reasons.push(match location {
                Location::Prepared(path) | Location::Archive(path) | Location::Unchecked(path) => {
                    format!("{}: {reason}", path.display())
                }
                Location::Download => reason,
            }),
        }
    }
    Err(DataError::Unavailable(reasons.join("; ")))
}

/// All places that may have a data set, in the order in which they are asked: the user's folder
/// (prepared, as an archive, made by somebody else), the cache, the network. A set prepared into
/// the cache stands for any archive, as the archive's files are known by their hashes.
fn locations(entry: &Entry, places: &Places) -> Vec<Location> {
    let mut locations = Vec::new();
    let prepared = |folder: &Path| {
        let folder = folder.join(entry.name);
        prepared::claims(entry, &folder).then_some(Location::Prepared(folder))
    };
    let archive = |folder: &Path| {
        let file = entry.archives.iter().map(|name| folder.join(name)).find(|file| file.is_file());
        file.map(Location::Archive)
    };
    let cached = places.cache.as_deref().and_then(prepared);
    if let Some(data) = &places.data {
        let here = prepared(data);
        let folder = data.join(entry.name);
        let made = here.is_none() && folder.join(prepared::MANIFEST).is_file();
        locations.extend(here);
        if let Some(archive) = archive(data) {
            locations.extend(cached.clone());
            locations.push(archive);
        }
        locations.extend(made.then_some(Location::Unchecked(folder)));
    }
    locations.extend(cached.filter(|cached| !locations.contains(cached)));
    locations.extend(places.cache.as_deref().and_then(archive));
    locations.push(Location::Download);
    locations
}

fn have(entry: &Entry, location: &Location, cache: Option<&Path>) -> Result<Had, String> {
    match location {
        Location::Prepared(folder) => Ok(Had { samples: prepared::open(entry, folder)?, keep: None, note: None }),
        Location::Archive(file) => prepare(entry, &archive::read(file, entry.needs)?, cache),
        Location::Unchecked(folder) => unchecked(entry, folder),
        Location::Download => prepare(entry, &fetch::archive(entry, cache)?, cache),
    }
}

fn prepare(entry: &Entry, archive: &archive::Archive, cache: Option<&Path>) -> Result<Had, String> {
    let (folder, keep) = prepared::write(entry, archive, cache)?;
    Ok(Had { samples: prepared::open(entry, &folder)?, keep, note: None })
}

/// A folder that somebody else made: taken for the data set when its classes are the same. Splits
/// that it gives are not kept, since the data set has none: the spec's shares are to mean the same
/// wherever the images come from.
fn unchecked(entry: &Entry, folder: &Path) -> Result<Had, String> {
    let mut samples = manifest::list(&folder.join(prepared::MANIFEST), None).map_err(|error| error.to_string())?;
    if samples.classes != entry.classes {
        return Err(format!(
            "its classes ({}) are not those of {} ({})",
            samples.classes.join(", "),
            entry.name,
            entry.classes.join(", ")
        ));
    }
    if entry.group.is_some() && samples.samples.iter().any(|sample| sample.group.is_none()) {
        return Err("its manifest has no column `group`".into());
    }
    for sample in &mut samples.samples {
        sample.split = None;
    }
    Ok(Had { samples, keep: None, note: Some(format!("unchecked, in {}", folder.display())) })
}
