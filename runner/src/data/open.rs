//! Opens the data that a spec names: finds it, lists its samples, splits them.

use super::facts::{described, instead};
use super::files::Files;
use super::registry::{self, Entry, Location};
use super::split::{self, Parts};
use super::synthetic::{self, Generator};
use super::{BadImage, DataFacts, ImageCache, ImageSource, Places, Samples, folder, manifest, npz};
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
    /// Keeps them.
    pub cache: Arc<ImageCache>,
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

/// Opens the data where that takes neither the network nor unpacking anything.
pub fn open_near(data: &Data, dir: &Path, seed: u64) -> Option<Dataset> {
    let places = Places::from_env();
    if let Source::Dataset(name) = &data.source
        && let Location::Archive(_) | Location::Download = registry::locate(registry::find(name)?, &places)
    {
        return None;
    }
    open_in(data, dir, seed, &places).ok()
}

/// How many images of each class train, where that can be known without the network and without
/// unpacking anything; images that cannot be read are counted too.
pub fn training_counts(data: &Data, dir: &Path, seed: u64) -> Option<Vec<usize>> {
    let data = open_near(data, dir, seed)?;
    let mut counts = vec![0; data.facts.classes.len()];
    for &place in &data.train {
        *counts.get_mut(data.samples.samples.get(place)?.label)? += 1;
    }
    Some(counts)
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

/// Opens a folder of images whose labels do not matter, all of them for a test.
pub fn open_unlabelled(root: &Path) -> Result<Dataset, DataError> {
    let found = Found::files(root.display().to_string(), folder::unlabelled(root)?);
    let parts = Parts { test: (0..found.samples.samples.len()).collect(), ..Parts::default() };
    Ok(found.divided(parts))
}

/// Opens the data, looking for named data sets in `places`.
pub(super) fn open_in(data: &Data, dir: &Path, seed: u64, places: &Places) -> Result<Dataset, DataError> {
    let group = data.split.group.as_deref();
    let found = match (find(&data.source, dir, group, seed, places), &data.fallback) {
        (Err(DataError::Unavailable(reason)), Some(fallback)) => {
            let found = find(fallback, dir, None, seed, places)?;
            let notes = found.notes.into_iter().chain(instead(fallback, &data.source, &reason)).collect();
            Found { fallback: true, notes, ..found }
        }
        (found, _) => found?,
    };
    let parts = split::divide(&found.samples, &data.split, seed)?;
    Ok(found.divided(parts))
}

/// A source that was found, not split yet.
struct Found {
    samples: Samples,
    images: Arc<dyn ImageSource>,
    what: String,
    notes: Vec<String>,
    fallback: bool,
}

impl Found {
    fn new(what: String, samples: Samples, images: impl ImageSource + 'static) -> Self {
        Found { samples, images: Arc::new(images), what, notes: Vec::new(), fallback: false }
    }

    fn files(what: String, samples: Samples) -> Self {
        Found::new(what, samples, Files::default())
    }

    fn divided(self, parts: Parts) -> Dataset {
        let count = self.samples.samples.len();
        let Parts { train, val, test, note } = parts;
        let notes: Vec<String> = self.notes.into_iter().chain(note).collect();
        let facts = DataFacts {
            classes: self.samples.classes.clone(),
            samples: Some(count),
            description: described(&self.what, Some(count), &notes),
            fallback: self.fallback,
        };
        let cache = Arc::new(ImageCache::off());
        Dataset { samples: self.samples, images: self.images, cache, facts, train, val, test }
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
            no_group(path, group)?;
            Ok(Found::files(path.display().to_string(), folder::list(&dir.join(path))?))
        }
        Source::Images(path) => {
            no_group(path, group)?;
            Ok(Found::files(path.display().to_string(), folder::unlabelled(&dir.join(path))?))
        }
        Source::Manifest(path) => Ok(Found::files(path.display().to_string(), manifest::list(&dir.join(path), group)?)),
        Source::Npz(path) => {
            no_group(path, group)?;
            let (samples, images) = npz::open(&dir.join(path))?;
            Ok(Found::new(path.display().to_string(), samples, images))
        }
        Source::Synthetic(name) => {
            let (samples, images) = generator(name, group)?.open(seed);
            Ok(Found::new(format!("synthetic {name}"), samples, images))
        }
    }
}

/// A data set of the registry.
fn named(entry: &Entry, group: Option<&str>, places: &Places) -> Result<Found, DataError> {
    check_group(&format!("the data set {}", entry.name), entry.group, group)?;
    let had = registry::obtain(entry, places)?;
    let found = Found::new(entry.name.to_owned(), had.samples, Files::within(had.keep));
    Ok(Found { notes: had.note.into_iter().collect(), ..found })
}

/// The generator of this name, which has the groups that are asked for.
pub(super) fn generator(name: &str, group: Option<&str>) -> Result<&'static Generator, DataError> {
    let generator =
        synthetic::find(name).ok_or_else(|| DataError::invalid(format!("there is no generator called `{name}`")))?;
    check_group(&format!("the generator {name}"), Some(generator.groups), group)?;
    Ok(generator)
}

/// A source has the groups that are asked for.
pub(super) fn check_group(what: &str, offered: Option<&str>, group: Option<&str>) -> Result<(), DataError> {
    match group {
        Some(wanted) if offered != Some(wanted) => Err(DataError::NoGroup {
            what: what.to_owned(),
            wanted: wanted.to_owned(),
            offered: offered.map(str::to_owned).into_iter().collect(),
        }),
        _ => Ok(()),
    }
}

/// A source without groups is asked for none.
pub(super) fn no_group(what: &Path, group: Option<&str>) -> Result<(), DataError> {
    match group {
        Some(wanted) => {
            Err(DataError::NoGroup { what: what.display().to_string(), wanted: wanted.to_owned(), offered: Vec::new() })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};
    use std::fmt::Write as _;
    use std::fs;

    /// A folder with ten sound images a class, and one more in `b` that is none.
    fn here() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = "path,label,patient\n".to_owned();
        for (class, red) in [("a", 50), ("b", 200)] {
            fs::create_dir_all(dir.path().join("images").join(class)).unwrap();
            for number in 0..10 {
                let path = format!("images/{class}/{number}.png");
                RgbImage::from_pixel(3, 2, Rgb([red, number, 0])).save(dir.path().join(&path)).unwrap();
                writeln!(manifest, "{path},{class},p{}", number % 5).unwrap();
            }
        }
        fs::write(dir.path().join("m.csv"), manifest).unwrap();
        fs::write(dir.path().join("images/b/broken.png"), "no image").unwrap();
        dir
    }

    fn opened(dir: &Path, yaml: &str) -> Result<Dataset, DataError> {
        let yaml = serde_yaml::from_str(&format!("{yaml}\nimage: {{ size: 8 }}")).unwrap();
        let data = serde_json::from_value(yaml).unwrap();
        open_in(&data, dir, 3, &Places::default())
    }

    #[test]
    fn a_folder_is_opened_and_its_pixels_read() {
        let dir = here();
        let data = opened(dir.path(), "source: { folder: images }").unwrap();
        assert_eq!(data.facts.description, "images (21 images)");
        assert_eq!((data.train.len(), data.val.len(), data.test.len()), (15, 3, 3));
        let sample = data.samples.samples.iter().find(|sample| sample.name == "b/7.png").unwrap();
        let pixels = data.images.read(sample).unwrap();
        assert_eq!((pixels.height, pixels.width, pixels.channels), (2, 3, 3));
        assert_eq!(&pixels.bytes[..3], [200, 7, 0]);
    }

    #[test]
    fn a_manifest_is_divided_by_its_groups() {
        let dir = here();
        let data = opened(
            dir.path(),
            "source: { manifest: m.csv }\nsplit: { train: 0.6, val: 0.2, test: 0.2, group: patient }",
        )
        .unwrap();
        assert_eq!((data.train.len(), data.val.len(), data.test.len()), (12, 4, 4));
        let patients = |places: &[usize]| -> HashSet<String> {
            places.iter().filter_map(|place| data.samples.samples[*place].group.clone()).collect()
        };
        assert_eq!(patients(&data.train).len() + patients(&data.val).len() + patients(&data.test).len(), 5);
    }

    #[test]
    fn a_fallback_is_told() {
        let dir = here();
        let data = opened(dir.path(), "source: { folder: none }\nfallback: { folder: images }").unwrap();
        assert!(data.facts.fallback);
        let description = data.facts.description.replace(&dir.path().display().to_string(), "DIR");
        assert_eq!(description, "images (21 images; the folder none could not be had: DIR/none does not exist)");
        let wrong = opened(dir.path(), "source: { manifest: images/b/broken.png }\nfallback: { folder: images }");
        assert!(matches!(wrong, Err(DataError::Invalid(_))));
    }

    #[test]
    fn groups_that_are_not_there_are_an_error() {
        let dir = here();
        let error = opened(dir.path(), "source: { folder: images }\nsplit: { group: patient }").err().unwrap();
        assert_eq!(error.to_string(), "images has no groups called `patient`");
    }

    #[test]
    fn a_folder_for_a_test_takes_the_classes_of_the_net() {
        let dir = here();
        let classes = ["b", "c", "a"].map(str::to_owned);
        let data = open_for_test(&dir.path().join("images"), &classes).unwrap();
        assert_eq!((data.train.len(), data.test.len()), (0, 21));
        assert_eq!(data.facts.classes, classes);
        assert_eq!(data.samples.samples[0].name, "a/0.png");
        assert_eq!(data.samples.samples[0].label, 2);
        let error = open_for_test(&dir.path().join("images"), &classes[..2]).err().unwrap().to_string();
        assert!(error.ends_with("holds the class `a`, which the net does not know; it knows b, c"), "{error}");
    }

    #[test]
    fn images_that_are_left_out_move_no_others() {
        let dir = here();
        let data = opened(dir.path(), "source: { folder: images }").unwrap();
        let bad = BadImage { name: data.samples.samples[data.val[1]].name.clone(), reason: "x".into() };
        let rest = data.clone().without(&[bad]);
        assert_eq!((&rest.train, &rest.test), (&data.train, &data.test));
        assert_eq!(rest.val, [data.val[0], data.val[2]]);
        assert_eq!(rest.samples, data.samples);
    }
}
