//! Opens the data that a spec names: finds it, lists its samples, splits them.

use super::facts::described;
use super::files::Files;
use super::registry::{self, Entry};
use super::split::{self, Parts};
use super::{BadImage, DataFacts, ImageSource, Places, Samples, folder, manifest, npz, synthetic};
use crate::spec::{Data, Problems, Source};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// The data cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// It is nowhere to be had, for a reason that is for a person. A fallback may take its place.
    #[error("{0}")]
    Unavailable(String),
    /// It is there, but something is wrong with it. No fallback takes its place, lest a mistake
    /// goes unseen.
    #[error("{0}")]
    Invalid(String),
    /// It has no such groups.
    #[error("{what} has no groups called `{wanted}`")]
    NoGroup {
        /// The source.
        what: String,
        /// The groups that are asked for.
        wanted: String,
        /// The groups there are.
        offered: Vec<String>,
    },
}

impl DataError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        DataError::Invalid(message.into())
    }
}

/// Data that can be read: its samples are known and split.
#[derive(Clone)]
pub struct Dataset {
    /// All samples.
    pub samples: Samples,
    /// Reads their pixels.
    pub images: Arc<dyn ImageSource>,
    /// What it is.
    pub facts: DataFacts,
    /// Places in `samples` that train.
    pub train: Vec<usize>,
    /// Places in `samples` that are watched while training.
    pub val: Vec<usize>,
    /// Places in `samples` that are looked at once, at the end.
    pub test: Vec<usize>,
}

impl Dataset {
    /// The data without these images. The places of the others stay as they are, and with them
    /// everything that is drawn for them.
    #[must_use]
    pub fn without(mut self, bad: &[BadImage]) -> Self {
        let bad: HashSet<&str> = bad.iter().map(|image| image.name.as_str()).collect();
        let samples = &self.samples.samples;
        let good = |place: &usize| samples.get(*place).is_some_and(|sample| !bad.contains(sample.name.as_str()));
        self.train.retain(good);
        self.val.retain(good);
        self.test.retain(good);
        self
    }
}

/// What is known of the data without reading images and without the network. `dir` is the folder
/// of the spec. Paths of the problems start at the top of the spec (`data.source.folder`).
pub fn facts(data: &Data, dir: &Path) -> Result<DataFacts, Problems> {
    super::facts::gather(data, dir, &Places::from_env())
}

/// Opens the data, downloading a named data set where it is nowhere else.
pub fn open(data: &Data, dir: &Path, seed: u64) -> Result<Dataset, DataError> {
    open_in(data, dir, seed, &Places::from_env())
}

/// Opens a folder of images, all of them for a test of a net that knows `classes`.
pub fn open_for_test(root: &Path, classes: &[String]) -> Result<Dataset, DataError> {
    let mut samples = folder::list(root)?;
    for sample in &mut samples.samples {
        let class = samples.classes.get(sample.label).map_or("", String::as_str);
        sample.label = classes.iter().position(|known| known == class).ok_or_else(|| {
            DataError::invalid(format!(
                "{} holds the class `{class}`, which the net does not know; it knows {}",
                root.display(),
                classes.join(", ")
            ))
        })?;
    }
    samples.classes = classes.to_vec();
    let found = Found::files(root.display().to_string(), samples);
    let parts = Parts { test: (0..found.samples.samples.len()).collect(), ..Parts::default() };
    Ok(found.divided(parts))
}

/// Opens the data, looking for named data sets in `places`.
pub(super) fn open_in(data: &Data, dir: &Path, seed: u64, places: &Places) -> Result<Dataset, DataError> {
    let group = data.split.group.as_deref();
    let found = match (find(&data.source, dir, group, seed, places), &data.fallback) {
        (Err(DataError::Unavailable(reason)), Some(fallback)) => {
            let found = find(fallback, dir, None, seed, places)?;
            Found { fallback: true, what: instead(fallback, &found.what, &data.source, &reason), ..found }
        }
        (found, _) => found?,
    };
    let parts = split::divide(&found.samples, &data.split, seed)?;
    Ok(found.divided(parts))
}

/// What is said of a fallback that is used.
pub(super) fn instead(fallback: &Source, what: &str, source: &Source, reason: &str) -> String {
    let wanted = match source {
        Source::Dataset(name) => format!("the data set {name}"),
        Source::Folder(path) => format!("the folder {}", path.display()),
        Source::Manifest(path) | Source::Npz(path) => format!("the file {}", path.display()),
        Source::Synthetic(name) => format!("the generator {name}"),
    };
    let generated = if matches!(fallback, Source::Synthetic(_)) { "generated; " } else { "" };
    format!("{what} ({generated}{wanted} could not be had: {reason})")
}

/// A source that was found, not split yet.
struct Found {
    samples: Samples,
    images: Arc<dyn ImageSource>,
    what: String,
    fallback: bool,
}

impl Found {
    fn new(what: String, samples: Samples, images: impl ImageSource + 'static) -> Self {
        Found { samples, images: Arc::new(images), what, fallback: false }
    }

    fn files(what: String, samples: Samples) -> Self {
        Found::new(what, samples, Files::default())
    }

    fn divided(self, parts: Parts) -> Dataset {
        let count = self.samples.samples.len();
        let mut description = described(&self.what, count);
        if let Some(note) = &parts.note {
            description = format!("{description}; {note}");
        }
        let facts = DataFacts {
            classes: self.samples.classes.clone(),
            samples: Some(count),
            description,
            fallback: self.fallback,
        };
        let Parts { train, val, test, .. } = parts;
        Dataset { samples: self.samples, images: self.images, facts, train, val, test }
    }
}

/// Finds a source and lists its samples.
fn find(source: &Source, dir: &Path, group: Option<&str>, seed: u64, places: &Places) -> Result<Found, DataError> {
    match source {
        Source::Dataset(name) => {
            let entry = registry::find(name)
                .ok_or_else(|| DataError::invalid(format!("there is no data set called `{name}`")))?;
            named(entry, group, places)
        }
        Source::Folder(path) => {
            no_group(&path.display().to_string(), group)?;
            Ok(Found::files(path.display().to_string(), folder::list(&dir.join(path))?))
        }
        Source::Manifest(path) => Ok(Found::files(path.display().to_string(), manifest::list(&dir.join(path), group)?)),
        Source::Npz(path) => {
            no_group(&path.display().to_string(), group)?;
            let (samples, images) = npz::open(&dir.join(path))?;
            Ok(Found::new(path.display().to_string(), samples, images))
        }
        Source::Synthetic(name) => {
            let (samples, images) = synthetic::open(name, seed)
                .ok_or_else(|| DataError::invalid(format!("there is no generator called `{name}`")))?;
            Ok(Found::new(format!("synthetic {name}"), samples, images))
        }
    }
}

/// A data set of the registry.
fn named(entry: &Entry, group: Option<&str>, places: &Places) -> Result<Found, DataError> {
    check_group(entry, group)?;
    let had = registry::obtain(entry, places)?;
    let what = had.note.map_or_else(|| entry.name.to_owned(), |note| format!("{} ({note})", entry.name));
    Ok(Found::new(what, had.samples, Files::within(had.keep)))
}

/// A data set has the groups that are asked for.
pub(super) fn check_group(entry: &Entry, group: Option<&str>) -> Result<(), DataError> {
    match group {
        Some(wanted) if entry.group != Some(wanted) => Err(DataError::NoGroup {
            what: format!("the data set {}", entry.name),
            wanted: wanted.to_owned(),
            offered: entry.group.map(str::to_owned).into_iter().collect(),
        }),
        _ => Ok(()),
    }
}

/// A source without groups is asked for none.
pub(super) fn no_group(what: &str, group: Option<&str>) -> Result<(), DataError> {
    match group {
        Some(wanted) => {
            Err(DataError::NoGroup { what: what.to_owned(), wanted: wanted.to_owned(), offered: Vec::new() })
        }
        None => Ok(()),
    }
}
