//! What is known of the data without reading an image.

use super::open::{check_group, instead, no_group};
use super::registry::{self, Location};
use super::{DataError, Places, folder, manifest, npz, synthetic};
use crate::spec::{self, Data, Problem, Problems, Source, Split};
use std::path::Path;

/// What is known of the data without reading an image. Planning needs no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFacts {
    /// The classes' names, in the order of the net's outputs.
    pub classes: Vec<String>,
    /// How many samples there are, where that is known.
    pub samples: Option<usize>,
    /// What is used, for a person: `blood_cells (1105 images)`, `synthetic blood_cells`.
    pub description: String,
    /// Whether the images are generated because the source could not be had.
    pub fallback: bool,
}

/// `blood_cells (1105 images)`.
pub(super) fn described(what: &str, images: usize) -> String {
    format!("{what} ({images} {})", if images == 1 { "image" } else { "images" })
}

/// The facts of the data that a spec names, looking for named data sets in `places`.
pub(super) fn gather(data: &Data, dir: &Path, places: &Places) -> Result<DataFacts, Problems> {
    let mut problems = Problems::default();
    shares(&data.split, &mut problems);
    let fallback = data.fallback.as_ref().and_then(|fallback| {
        // Whether a fallback can be had is asked only once it is needed: it is generated, as a rule.
        of(fallback, dir, None, places).map_err(|error| problems.push(problem("data.fallback", fallback, error))).ok()
    });
    let group = data.split.group.as_deref();
    let facts = match (of(&data.source, dir, group, places), &data.fallback, fallback) {
        (Ok(facts), Some(source), Some(fallback)) => {
            if facts.classes != fallback.classes {
                problems.push(other_classes(source, &facts, &fallback));
            }
            Some(facts)
        }
        (Ok(facts), _, _) => Some(facts),
        (Err(DataError::Unavailable(reason)), Some(source), fallback) => fallback.map(|fallback| DataFacts {
            description: instead(source, &fallback.description, &data.source, &reason),
            fallback: true,
            ..fallback
        }),
        (Err(error), _, _) => {
            problems.push(problem("data.source", &data.source, error));
            None
        }
    };
    if let Some(facts) = &facts
        && facts.classes.len() < 2
    {
        let classes = facts.classes.join(", ");
        problems.push(Problem::new(
            spec::Path::of("data.source"),
            format!("there is only one class ({classes}): nothing can be learnt"),
        ));
    }
    match facts {
        Some(facts) => problems.or(facts),
        None => Err(problems),
    }
}

/// The facts of one source.
fn of(source: &Source, dir: &Path, group: Option<&str>, places: &Places) -> Result<DataFacts, DataError> {
    let listed = |path: &Path, samples: super::Samples| DataFacts {
        description: described(&path.display().to_string(), samples.samples.len()),
        samples: Some(samples.samples.len()),
        classes: samples.classes,
        fallback: false,
    };
    match source {
        Source::Dataset(name) => {
            let entry = registry::find(name)
                .ok_or_else(|| DataError::invalid(format!("there is no data set called `{name}`")))?;
            check_group(entry, group)?;
            Ok(named(entry, &registry::locate(entry, places)))
        }
        Source::Folder(path) => {
            no_group(&path.display().to_string(), group)?;
            Ok(listed(path, folder::list(&dir.join(path))?))
        }
        Source::Manifest(path) => Ok(listed(path, manifest::list(&dir.join(path), group)?)),
        Source::Npz(path) => {
            no_group(&path.display().to_string(), group)?;
            Ok(listed(path, npz::list(&dir.join(path))?))
        }
        Source::Synthetic(name) => {
            let classes = synthetic::classes(name)
                .ok_or_else(|| DataError::invalid(format!("there is no generator called `{name}`")))?;
            Ok(DataFacts {
                classes: classes.iter().map(|class| (*class).to_owned()).collect(),
                samples: None,
                description: format!("synthetic {name}"),
                fallback: false,
            })
        }
    }
}

/// The facts of a data set of the registry that lies at `location`.
fn named(entry: &registry::Entry, location: &Location) -> DataFacts {
    let what = described(entry.name, entry.images);
    let (samples, description) = match location {
        Location::Prepared(_) => (Some(entry.images), what),
        Location::Archive(path) => (Some(entry.images), format!("{what}, to be prepared from {}", path.display())),
        Location::Unchecked(folder) => (None, format!("{} (unchecked, in {})", entry.name, folder.display())),
        Location::Download => (Some(entry.images), format!("{what}, to be downloaded from {}", entry.url)),
    };
    DataFacts {
        classes: entry.classes.iter().map(|class| (*class).to_owned()).collect(),
        samples,
        description,
        fallback: false,
    }
}

/// The shares are shares of one whole.
fn shares(split: &Split, problems: &mut Problems) {
    let shares = [("train", split.train), ("val", split.val), ("test", split.test)];
    let mut wrong = false;
    for (name, share) in shares {
        let low = if name == "train" { share > 0.0 } else { share >= 0.0 };
        if !low || share > 1.0 {
            wrong = true;
            let message = format!("{share} is no share: it must lie between 0 and 1");
            problems.push(Problem::new(spec::Path::of("data.split").key(name), message));
        }
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    if !wrong && (sum - 1.0).abs() > 1e-6 {
        let sum = (sum * 1e6).round() / 1e6;
        problems.push(
            Problem::new(spec::Path::of("data.split"), format!("the shares sum to {sum}, not to 1"))
                .help("those that are not given are train: 0.7, val: 0.15, test: 0.15"),
        );
    }
}

/// An error as a problem of the source at `path`.
fn problem(path: &str, source: &Source, error: DataError) -> Problem {
    let (key, unknown) = match source {
        Source::Dataset(name) => ("dataset", registry::find(name).is_none().then(|| (name, registry::names()))),
        Source::Folder(_) => ("folder", None),
        Source::Manifest(_) => ("manifest", None),
        Source::Npz(_) => ("npz", None),
        Source::Synthetic(name) => {
            ("synthetic", synthetic::classes(name).is_none().then(|| (name, synthetic::NAMES.to_vec())))
        }
    };
    let here = spec::Path::of(path).key(key);
    match error {
        DataError::NoGroup { ref wanted, ref offered, .. } => {
            let problem = Problem::new(spec::Path::of("data.split.group"), error.to_string());
            if offered.is_empty() {
                problem.help("groups come from a manifest's column or from a data set of the registry")
            } else {
                problem.suggest(wanted, offered.iter().map(String::as_str))
            }
        }
        DataError::Unavailable(message) => {
            Problem::new(here, message).help("paths are relative to the folder of the spec")
        }
        DataError::Invalid(message) => match unknown {
            Some((name, names)) => Problem::new(here, message).suggest(name, names),
            None => Problem::new(here, message),
        },
    }
}

fn other_classes(source: &Source, facts: &DataFacts, fallback: &DataFacts) -> Problem {
    let key = match source {
        Source::Dataset(_) => "dataset",
        Source::Folder(_) => "folder",
        Source::Manifest(_) => "manifest",
        Source::Npz(_) => "npz",
        Source::Synthetic(_) => "synthetic",
    };
    Problem::new(
        spec::Path::of("data.fallback").key(key),
        format!(
            "its classes ({}) are not those of the source ({})",
            fallback.classes.join(", "),
            facts.classes.join(", ")
        ),
    )
}
