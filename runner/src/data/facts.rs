//! What is known of the data without reading an image.

use super::open::{check_group, generator, no_group};
use super::registry::{self, Entry, Location};
use super::{DataError, Places, Samples, folder, manifest, npz, synthetic};
use crate::spec::{self, Data, Problem, Problems, Source};
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

/// `blood_cells (1105 images; to be downloaded from ...)`.
pub(super) fn described(what: &str, images: Option<usize>, notes: &[String]) -> String {
    let count = images.map(|images| format!("{images} {}", if images == 1 { "image" } else { "images" }));
    let notes: Vec<&str> = count.as_deref().into_iter().chain(notes.iter().map(String::as_str)).collect();
    if notes.is_empty() { what.to_owned() } else { format!("{what} ({})", notes.join("; ")) }
}

/// What is said of a fallback that takes the place of `source`.
pub(super) fn instead(fallback: &Source, source: &Source, reason: &str) -> Vec<String> {
    let wanted = match source {
        Source::Dataset(name) => format!("the data set {name}"),
        Source::Folder(path) | Source::Images(path) => format!("the folder {}", path.display()),
        Source::Manifest(path) | Source::Npz(path) => format!("the file {}", path.display()),
        Source::Synthetic(name) => format!("the generator {name}"),
    };
    let generated = matches!(fallback, Source::Synthetic(_)).then(|| "generated".to_owned());
    generated.into_iter().chain([format!("{wanted} could not be had: {reason}")]).collect()
}

/// The facts of the data that a spec names, looking for named data sets in `places`.
pub(super) fn gather(data: &Data, dir: &Path, places: &Places) -> Result<DataFacts, Problems> {
    let mut problems = Problems::default();
    // A fallback that could not be used is a mistake, even while it is not needed.
    let fallback = data.fallback.as_ref().and_then(|source| {
        let known = Known::of(source, dir, None, places);
        known.map_err(|error| problems.push(problem("data.fallback", source, error))).ok().map(|known| (source, known))
    });
    let known = match Known::of(&data.source, dir, data.split.group.as_deref(), places) {
        Ok(known) => {
            if let Some((source, fallback)) = fallback
                && fallback.classes != known.classes
                && !matches!(data.source, Source::Images(_))
            {
                problems.push(other_classes(source, &known.classes, &fallback.classes));
            }
            Some((known, false))
        }
        Err(DataError::Unavailable(reason)) if data.fallback.is_some() => fallback.map(|(source, mut known)| {
            known.notes.extend(instead(source, &data.source, &reason));
            (known, true)
        }),
        Err(error) => {
            problems.push(problem("data.source", &data.source, error));
            None
        }
    };
    let Some((known, fallback)) = known else { return Err(problems) };
    channels(data, &known, &mut problems);
    let Known { classes, samples, what, notes, .. } = known;
    let description = described(&what, samples, &notes);
    problems.or(DataFacts { classes, samples, description, fallback })
}

/// The problem with data that has too few classes to tell apart.
pub fn too_few_classes(source: &Source, facts: &DataFacts) -> Option<Problem> {
    let [class] = facts.classes.as_slice() else { return None };
    let at = spec::Path::of("data.source").key(source.key());
    Some(match source {
        Source::Images(_) => Problem::new(at, "these images have no labels, and so no class can be learnt")
            .help("they are for `task: reconstruct`; `folder` is a folder of images a class"),
        _ => Problem::new(at, format!("there is only one class (`{class}`): nothing can be learnt")),
    })
}

/// Notes where images do not have the channels that the net is to get.
fn channels(data: &Data, known: &Known, problems: &mut Problems) {
    let wanted = data.image.channels;
    let Some(stored) = known.channels.iter().copied().find(|stored| !wanted.take(*stored)) else { return };
    let at = spec::Path::of("data.image.channels");
    problems.push(if known.arrays {
        let message = format!("the images of {} have {stored} channels, not {}", known.what, wanted.count());
        Problem::new(at, message).help(format!("write `channels: {stored}`"))
    } else {
        let message = format!("{} has images of one channel or three, not of {}", known.what, wanted.count());
        Problem::new(at, message).help("more channels come from the arrays of an npz file: `source: { npz: ... }`")
    });
}

/// What is known of one source.
struct Known {
    classes: Vec<String>,
    samples: Option<usize>,
    what: String,
    notes: Vec<String>,
    /// Channels of its images.
    channels: Vec<usize>,
    /// Whether they are arrays.
    arrays: bool,
}

impl Known {
    fn of(source: &Source, dir: &Path, group: Option<&str>, places: &Places) -> Result<Self, DataError> {
        match source {
            Source::Dataset(name) => {
                let entry = registry::find(name)
                    .ok_or_else(|| DataError::invalid(format!("there is no data set called `{name}`")))?;
                check_group(&format!("the data set {name}"), entry.group, group)?;
                Ok(Known::named(entry, &registry::locate(entry, places)))
            }
            Source::Folder(path) => {
                no_group(path, group)?;
                Ok(Known::listed(path, folder::list(&dir.join(path))?))
            }
            Source::Images(path) => {
                no_group(path, group)?;
                Ok(Known::listed(path, folder::unlabelled(&dir.join(path))?))
            }
            Source::Manifest(path) => Ok(Known::listed(path, manifest::list(&dir.join(path), group)?)),
            Source::Npz(path) => {
                no_group(path, group)?;
                let known = Known::listed(path, npz::list(&dir.join(path))?);
                Ok(Known { channels: npz::channels(&dir.join(path))?, arrays: true, ..known })
            }
            Source::Synthetic(name) => {
                let generator = generator(name, group)?;
                let (classes, what) = (generator.class_names(), format!("synthetic {name}"));
                Ok(Known::files(classes, None, what, Vec::new()))
            }
        }
    }

    fn listed(path: &Path, samples: Samples) -> Self {
        let count = samples.samples.len();
        Known::files(samples.classes, Some(count), path.display().to_string(), Vec::new())
    }

    /// A source of images that are grey or colour.
    fn files(classes: Vec<String>, samples: Option<usize>, what: String, notes: Vec<String>) -> Self {
        Known { classes, samples, what, notes, channels: vec![1, 3], arrays: false }
    }

    fn named(entry: &Entry, location: &Location) -> Self {
        let (samples, note) = match location {
            Location::Prepared(_) => (Some(entry.images), None),
            Location::Archive(file) => (Some(entry.images), Some(format!("to be prepared from {}", file.display()))),
            Location::Unchecked(folder) => (None, Some(format!("unchecked, in {}", folder.display()))),
            Location::Download => (Some(entry.images), Some(format!("to be downloaded from {}", entry.url))),
        };
        let classes = entry.classes.iter().map(|class| (*class).to_owned()).collect();
        Known::files(classes, samples, entry.name.to_owned(), note.into_iter().collect())
    }
}

/// An error as a problem of the source at `path`.
fn problem(path: &str, source: &Source, error: DataError) -> Problem {
    let here = spec::Path::of(path).key(source.key());
    let unknown = match source {
        Source::Dataset(name) => registry::find(name).is_none().then(|| (name, registry::names())),
        Source::Synthetic(name) => synthetic::find(name).is_none().then(|| (name, synthetic::names())),
        _ => None,
    };
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

fn other_classes(fallback: &Source, classes: &[String], others: &[String]) -> Problem {
    let message = format!("its classes ({}) are not those of the source ({})", others.join(", "), classes.join(", "));
    Problem::new(spec::Path::of("data.fallback").key(fallback.key()), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn data(yaml: &str) -> Data {
        let yaml = serde_yaml::from_str(&format!("{yaml}\nimage: {{ size: 8 }}")).unwrap();
        serde_json::from_value(yaml).unwrap()
    }

    /// A folder with a manifest of two classes, and with `images/a` and `images/b`.
    fn here() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("m.csv"), "path,label,patient\n1.png,a,p\n2.png,b,q\n").unwrap();
        fs::write(dir.path().join("broken.csv"), "path,label\n1.png\n").unwrap();
        for class in ["a", "b"] {
            fs::create_dir_all(dir.path().join("images").join(class)).unwrap();
            fs::write(dir.path().join("images").join(class).join("1.png"), "").unwrap();
        }
        fs::create_dir_all(dir.path().join("one/a")).unwrap();
        fs::write(dir.path().join("one/a/1.png"), "").unwrap();
        dir
    }

    fn facts(yaml: &str) -> DataFacts {
        gather(&data(yaml), here().path(), &Places::default()).unwrap()
    }

    /// Path, message and help of the only problem.
    fn problem(yaml: &str) -> (String, String, String) {
        let dir = here();
        let mut problems = gather(&data(yaml), dir.path(), &Places::default()).unwrap_err().0;
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem = problems.remove(0);
        let message = problem.message.replace(&dir.path().display().to_string(), "DIR");
        (problem.path.to_string(), message, problem.help.unwrap_or_default())
    }

    #[test]
    fn sources_say_what_they_hold() {
        let of = |yaml| {
            let facts = facts(yaml);
            assert!(!facts.fallback);
            (facts.classes.join(" "), facts.samples, facts.description)
        };
        assert_eq!(of("source: { folder: images }"), ("a b".into(), Some(2), "images (2 images)".into()));
        assert_eq!(of("source: { manifest: m.csv }"), ("a b".into(), Some(2), "m.csv (2 images)".into()));
        let cells = "erythrocyte leukocyte platelet";
        assert_eq!(of("source: { synthetic: blood_cells }"), (cells.into(), None, "synthetic blood_cells".into()));
        let url = registry::find("blood_cells").unwrap().url;
        let description = format!("blood_cells (1105 images; to be downloaded from {url})");
        assert_eq!(of("source: { dataset: blood_cells }"), (cells.into(), Some(1105), description));
    }

    #[test]
    fn what_is_missing_or_unknown_is_a_problem_at_its_place() {
        let (path, message, help) = problem("source: { dataset: blod_cells }");
        assert_eq!(path, "data.source.dataset");
        assert_eq!(message, "there is no data set called `blod_cells`");
        assert_eq!(help, "did you mean `blood_cells`?");
        let (path, message, help) = problem("source: { folder: none }");
        assert_eq!((path.as_str(), message.as_str()), ("data.source.folder", "DIR/none does not exist"));
        assert_eq!(help, "paths are relative to the folder of the spec");
        let (path, message, _) = problem("source: { manifest: broken.csv }");
        assert_eq!(path, "data.source.manifest");
        assert_eq!(message, "DIR/broken.csv:2: 1 fields where the first line has 2");
        assert_eq!(problem("source: { npz: none.npz }").0, "data.source.npz");
        let (path, _, help) = problem("source: { synthetic: blood }\nfallback: { synthetic: blood_cells }");
        assert_eq!(
            (path.as_str(), help.as_str()),
            ("data.source.synthetic", "expected one of `blood_cells`, `sign_language`")
        );
        let (path, message, _) = problem("source: { folder: images/a }");
        assert_eq!(
            (path.as_str(), message.as_str()),
            ("data.source.folder", "DIR/images/a holds images, but no folders: each class needs a folder")
        );
    }

    #[test]
    fn groups_that_a_source_lacks_are_a_problem() {
        let (path, message, help) = problem("source: { manifest: m.csv }\nsplit: { group: patients }");
        assert_eq!(path, "data.split.group");
        assert!(message.ends_with("m.csv has no groups called `patients`"), "{message}");
        assert_eq!(help, "did you mean `patient`?");
        let (path, _, help) = problem("source: { dataset: blood_cells }\nsplit: { group: source }");
        assert_eq!((path.as_str(), help.as_str()), ("data.split.group", "expected one of `source_image`"));
        let (_, message, help) = problem("source: { synthetic: sign_language }\nsplit: { group: singer }");
        assert_eq!(message, "the generator sign_language has no groups called `singer`");
        assert_eq!(help, "did you mean `signer`?");
        assert_eq!(problem("source: { folder: images }\nsplit: { group: patient }").0, "data.split.group");
        assert_eq!(facts("source: { manifest: m.csv }\nsplit: { group: patient }").samples, Some(2));
    }

    #[test]
    fn a_fallback_is_used_and_told_where_the_source_is_missing() {
        let facts = facts("source: { folder: none }\nfallback: { synthetic: blood_cells }");
        assert!(facts.fallback);
        assert_eq!(facts.classes, ["erythrocyte", "leukocyte", "platelet"]);
        let (start, end) =
            ("synthetic blood_cells (generated; the folder none could not be had: ", "none does not exist)");
        assert!(facts.description.starts_with(start) && facts.description.ends_with(end), "{}", facts.description);
    }

    #[test]
    fn a_fallback_hides_no_mistake() {
        let (path, _, _) = problem("source: { manifest: broken.csv }\nfallback: { synthetic: blood_cells }");
        assert_eq!(path, "data.source.manifest");
        let (path, message, _) = problem("source: { manifest: m.csv }\nfallback: { synthetic: blood_cells }");
        assert_eq!(path, "data.fallback.synthetic");
        assert_eq!(message, "its classes (erythrocyte, leukocyte, platelet) are not those of the source (a, b)");
        assert_eq!(problem("source: { manifest: m.csv }\nfallback: { folder: none }").0, "data.fallback.folder");
    }

    #[test]
    fn one_class_is_too_few_to_tell_apart() {
        let of = |yaml: &str| too_few_classes(&data(yaml).source, &facts(yaml));
        let problem = of("source: { folder: one }").unwrap();
        assert_eq!(problem.path.to_string(), "data.source.folder");
        assert_eq!(problem.message, "there is only one class (`a`): nothing can be learnt");
        let problem = of("source: { images: images }").unwrap();
        assert_eq!(problem.path.to_string(), "data.source.images");
        assert_eq!(problem.message, "these images have no labels, and so no class can be learnt");
        assert_eq!(facts("source: { images: images }").description, "images (2 images)");
        assert_eq!(of("source: { folder: images }"), None);
    }

    #[test]
    fn channels_that_files_do_not_have_are_a_problem() {
        let dir = here();
        let mut data = data("source: { folder: images }");
        data.image.channels = crate::spec::Channels::Many(4);
        let problems = gather(&data, dir.path(), &Places::default()).unwrap_err().0;
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path.to_string(), "data.image.channels");
        assert_eq!(problems[0].message, "images has images of one channel or three, not of 4");
        data.image.channels = crate::spec::Channels::Gray;
        gather(&data, dir.path(), &Places::default()).unwrap();
    }
}
