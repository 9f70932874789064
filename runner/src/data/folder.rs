//! A folder of images: a folder a class, perhaps below a folder a split.

use super::sample::Pointer;
use super::{DataError, Sample, Samples, SplitName, split};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Extensions of the image files that are looked for, in lower case.
const EXTENSIONS: &[&str] = &["bmp", "gif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// How deep folders may lie in each other.
const DEEPEST: usize = 64;

/// Lists the images below `root`, without opening one. The folders in it are the classes, sorted
/// by name; images lie anywhere below them. Where the folders are `train` and `val` or `test`, each
/// of them holds the classes and is a split of the source's own. Hidden files are passed over.
pub fn list(root: &Path) -> Result<Samples, DataError> {
    if !root.is_dir() {
        let why = if root.exists() { "is not a folder" } else { "does not exist" };
        return Err(DataError::Unavailable(format!("{} {why}", root.display())));
    }
    let folders = folders(root)?;
    let samples = match splits(root, &folders)? {
        Some(splits) => of_splits(root, &splits)?,
        None => of_classes(root, &folders, None)?,
    };
    Ok(samples)
}

/// Lists the images anywhere below `root`, without opening one, all of one class: they have no
/// labels. Hidden files are passed over.
pub fn unlabelled(root: &Path) -> Result<Samples, DataError> {
    if !root.is_dir() {
        let why = if root.exists() { "is not a folder" } else { "does not exist" };
        return Err(DataError::Unavailable(format!("{} {why}", root.display())));
    }
    let real = root.canonicalize().map_err(|error| unreadable(root, &error))?;
    let mut files = Vec::new();
    walk(root, &real, &mut BTreeSet::new(), &mut files, 0)?;
    if files.is_empty() {
        return Err(DataError::invalid(format!("{} holds no images ({})", root.display(), EXTENSIONS.join(", "))));
    }
    let sample = |file: PathBuf| Sample {
        name: name_within(root, &file),
        pointer: Pointer::File(file),
        label: 0,
        group: None,
        split: None,
    };
    Ok(Samples { classes: vec!["image".to_owned()], samples: files.into_iter().map(sample).collect() })
}

/// The folders by the split that they are; `None` when they are classes.
fn splits(root: &Path, folders: &[PathBuf]) -> Result<Option<BTreeMap<&'static str, PathBuf>>, DataError> {
    let mut splits = BTreeMap::new();
    let mut others = Vec::new();
    for folder in folders {
        match split::parse(&file_name(folder)) {
            Some(which) => {
                if let Some(twin) = splits.insert(split::name(which), folder.clone()) {
                    return Err(DataError::invalid(format!(
                        "{} holds both `{}` and `{}`",
                        root.display(),
                        file_name(&twin),
                        file_name(folder)
                    )));
                }
            }
            None => others.push(file_name(folder)),
        }
    }
    let train = splits.get("train");
    if train.is_none_or(|train| folders_in(train).is_empty()) {
        return Ok(None);
    }
    match others.first() {
        None => Ok(Some(splits)),
        Some(_) if splits.len() == 1 => Ok(None),
        Some(other) => Err(DataError::invalid(format!(
            "{} holds the splits {} and also `{other}`: move it out, or hide it as `.{other}`",
            root.display(),
            splits.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ))),
    }
}

fn of_splits(root: &Path, splits: &BTreeMap<&'static str, PathBuf>) -> Result<Samples, DataError> {
    let mut parts = Vec::new();
    for (name, folder) in splits {
        let part = of_classes(folder, &folders(folder)?, split::parse(name))?;
        parts.push((*name, part));
    }
    let classes: Vec<String> =
        parts.iter().filter(|(name, _)| *name == "train").flat_map(|(_, part)| part.classes.clone()).collect();
    let mut samples = Vec::new();
    for (name, part) in parts {
        if let Some(class) = part.classes.iter().find(|class| !classes.contains(class)) {
            return Err(DataError::invalid(format!(
                "{}: the class `{class}` is in `{name}` but not in `train`",
                root.display()
            )));
        }
        for sample in part.samples {
            let label = part.classes.get(sample.label).and_then(|class| classes.iter().position(|c| c == class));
            let name = format!("{name}/{}", sample.name);
            samples.push(Sample { name, label: label.unwrap_or_default(), ..sample });
        }
    }
    Ok(Samples { classes, samples })
}

/// Each folder's images as a class.
fn of_classes(root: &Path, folders: &[PathBuf], split: Option<SplitName>) -> Result<Samples, DataError> {
    if folders.is_empty() {
        let what = if images_in(root) { "images, but no folders: each class needs a folder" } else { "no folders" };
        return Err(DataError::invalid(format!("{} holds {what}", root.display())));
    }
    let mut samples = Samples::default();
    for folder in folders {
        let mut files = Vec::new();
        let real = folder.canonicalize().map_err(|error| unreadable(folder, &error))?;
        walk(folder, &real, &mut BTreeSet::new(), &mut files, 0)?;
        if files.is_empty() {
            return Err(DataError::invalid(format!(
                "{} holds no images ({})",
                folder.display(),
                EXTENSIONS.join(", ")
            )));
        }
        let label = samples.classes.len();
        samples.classes.push(file_name(folder));
        samples.samples.extend(files.into_iter().map(|file| Sample {
            name: name_within(root, &file),
            pointer: Pointer::File(file),
            label,
            group: None,
            split,
        }));
    }
    Ok(samples)
}

/// Gathers the image files below a folder, sorted by path. `real` is the folder without symbolic
/// links: each is visited once, so links that lead in circles come to an end.
fn walk(
    folder: &Path,
    real: &Path,
    visited: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
    depth: usize,
) -> Result<(), DataError> {
    if depth > DEEPEST {
        return Err(DataError::invalid(format!("{}: folders lie more than {DEEPEST} deep", folder.display())));
    }
    if !visited.insert(real.to_owned()) {
        return Ok(());
    }
    for entry in entries(folder)? {
        match entry.kind {
            Kind::File if is_image(&entry.path) => files.push(entry.path),
            Kind::File => {}
            Kind::Folder => {
                let real = entry.path.file_name().map_or_else(|| real.to_owned(), |name| real.join(name));
                walk(&entry.path, &real, visited, files, depth + 1)?;
            }
            Kind::FolderLink => {
                let real = entry.path.canonicalize().map_err(|error| unreadable(&entry.path, &error))?;
                walk(&entry.path, &real, visited, files, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// What a folder holds.
struct Entry {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    FolderLink,
}

/// What a folder holds that is not hidden, sorted by name.
fn entries(folder: &Path) -> Result<Vec<Entry>, DataError> {
    let read = || -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (path, kind) = (entry.path(), entry.file_type()?);
            let kind = match (kind.is_dir(), kind.is_symlink() && path.is_dir()) {
                (true, _) => Kind::Folder,
                (_, true) => Kind::FolderLink,
                _ => Kind::File,
            };
            entries.push(Entry { path, kind });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    };
    read().map_err(|error| unreadable(folder, &error))
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = entries(root)?;
    Ok(entries.into_iter().filter(|entry| entry.kind != Kind::File).map(|entry| entry.path).collect())
}

fn folders_in(root: &Path) -> Vec<PathBuf> {
    folders(root).unwrap_or_default()
}

fn images_in(root: &Path) -> bool {
    entries(root).is_ok_and(|entries| entries.iter().any(|entry| entry.kind == Kind::File && is_image(&entry.path)))
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        let extension = extension.to_string_lossy().to_ascii_lowercase();
        EXTENSIONS.contains(&extension.as_str())
    })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The path of a file within a folder, with `/` between its parts on every system.
fn name_within(root: &Path, file: &Path) -> String {
    let within = file.strip_prefix(root).unwrap_or(file);
    within.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn unreadable(path: &Path, error: &io::Error) -> DataError {
    DataError::invalid(format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with empty files at these paths; a path that ends in `/` is an empty folder.
    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            let at = root.path().join(path);
            if path.ends_with('/') {
                std::fs::create_dir_all(at).unwrap();
            } else {
                std::fs::create_dir_all(at.parent().unwrap()).unwrap();
                std::fs::write(at, b"").unwrap();
            }
        }
        root
    }

    fn names(samples: &Samples) -> Vec<(&str, usize)> {
        samples.samples.iter().map(|sample| (sample.name.as_str(), sample.label)).collect()
    }

    fn error(paths: &[&str]) -> String {
        let root = tree(paths);
        let message = list(root.path()).unwrap_err().to_string();
        message.replace(&root.path().display().to_string(), "ROOT")
    }

    #[test]
    fn classes_are_folders_in_order_and_images_lie_anywhere_below() {
        let root = tree(&[
            "dog/b.JPG",
            "dog/deep/er/a.tiff",
            "cat/1.png",
            "cat/.hidden.png",
            "cat/notes.txt",
            "README.md",
            ".git/x.png",
        ]);
        let samples = list(root.path()).unwrap();
        assert_eq!(samples.classes, ["cat", "dog"]);
        assert_eq!(names(&samples), [("cat/1.png", 0), ("dog/b.JPG", 1), ("dog/deep/er/a.tiff", 1)]);
        assert!(samples.samples.iter().all(|sample| sample.split.is_none() && sample.group.is_none()));
    }

    #[test]
    fn folders_of_splits_are_the_sources_own() {
        let root = tree(&["train/a/1.png", "train/b/2.png", "validation/b/3.png", "test/a/4.png"]);
        let samples = list(root.path()).unwrap();
        assert_eq!(samples.classes, ["a", "b"]);
        let splits: Vec<_> = samples.samples.iter().map(|s| (s.name.as_str(), s.label, s.split.unwrap())).collect();
        assert_eq!(
            splits,
            [
                ("test/a/4.png", 0, SplitName::Test),
                ("train/a/1.png", 0, SplitName::Train),
                ("train/b/2.png", 1, SplitName::Train),
                ("val/b/3.png", 1, SplitName::Val),
            ]
        );
    }

    #[test]
    fn a_class_may_be_called_train() {
        let samples = list(tree(&["train/1.png", "bus/2.png", "test/3.png"]).path()).unwrap();
        assert_eq!(samples.classes, ["bus", "test", "train"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(error(&["readme.txt"]), "ROOT holds no folders");
        assert_eq!(error(&["1.png"]), "ROOT holds images, but no folders: each class needs a folder");
        assert!(error(&["a/1.png", "b/"]).starts_with("ROOT/b holds no images (bmp, gif"));
        assert_eq!(error(&["train/a/1.png", "val/c/1.png"]), "ROOT: the class `c` is in `val` but not in `train`");
        assert_eq!(error(&["train/a/1.png", "val/a/1.png", "valid/a/1.png"]), "ROOT holds both `val` and `valid`");
        assert_eq!(
            error(&["train/a/1.png", "val/a/1.png", "labels/x.txt"]),
            "ROOT holds the splits `train`, `val` and also `labels`: move it out, or hide it as `.labels`"
        );
        let root = tree(&["a"]);
        assert!(
            matches!(list(&root.path().join("b")), Err(DataError::Unavailable(message)) if message.ends_with("does not exist"))
        );
        assert!(
            matches!(list(&root.path().join("a")), Err(DataError::Unavailable(message)) if message.ends_with("is not a folder"))
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_in_circles_end() {
        let root = tree(&["a/1.png", "a/sub/2.png", "elsewhere/3.png"]);
        let at = |path: &str| root.path().join(path);
        std::os::unix::fs::symlink(at("a"), at("a/sub/up")).unwrap();
        std::os::unix::fs::symlink(at("."), at("a/root")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("a/dangling.png")).unwrap();
        std::os::unix::fs::symlink(at("elsewhere"), at("b")).unwrap();
        let samples = list(root.path()).unwrap();
        assert_eq!(samples.classes, ["a", "b", "elsewhere"]);
        let count = |label| samples.samples.iter().filter(|sample| sample.label == label).count();
        assert_eq!((count(1), count(2)), (1, 1));
        assert!(count(0) < 10);
    }
}
