//! Data sets that are known by name.
//!
//! To add one: write a file that holds its [`Entry`] and how it is prepared, and add it to [`all`].

mod archive;
mod blood_cells;
mod fetch;
mod find;
mod prepared;
mod voc;

pub use archive::{Archive, fingerprint};
pub use find::{Had, Location, locate, obtain};
pub use prepared::Row;

use std::path::Path;

/// A data set that is known by name.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// What it shows, in a line.
    pub description: &'static str,
    /// The classes, sorted.
    pub classes: &'static [&'static str],
    /// How many images it has once it is prepared.
    pub images: usize,
    /// What its groups are called, if samples belong together.
    pub group: Option<&'static str>,
    /// Its licence, by its SPDX name.
    pub licence: &'static str,
    /// Where its archive (`.tar.gz`) is downloaded.
    pub url: &'static str,
    /// What the archive may be called where it lies in a folder.
    pub archives: &'static [&'static str],
    /// Whether a file of the archive is needed. Paths are without the archive's outermost folder.
    pub needs: fn(&str) -> bool,
    /// The [`fingerprint`] of the needed files. Archives are packed anew at times; files stay.
    pub fingerprint: &'static str,
    /// Raised whenever `prepare` makes something else: sets prepared before are prepared again.
    pub version: u32,
    /// Writes the images into a folder and says what they are.
    pub prepare: fn(&Archive, &Path) -> Result<Vec<Row>, String>,
}

/// The data sets there are.
pub fn all() -> &'static [Entry] {
    const { &[blood_cells::ENTRY] }
}

/// The data set of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.name == name)
}

/// The names of the data sets.
pub fn names() -> Vec<&'static str> {
    all().iter().map(|entry| entry.name).collect()
}

#[cfg(test)]
pub(super) mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_order() {
        for entry in all() {
            assert!(entry.classes.is_sorted(), "a prepared set's manifest sorts the classes of {}", entry.name);
            assert_eq!(entry.fingerprint.len(), 64);
            assert!(entry.url.starts_with("https://"));
            assert!(!entry.archives.is_empty());
        }
        let mut names = names();
        names.dedup();
        assert_eq!(names.len(), all().len());
        assert!(find("blood_cells").is_some() && find("blood").is_none());
    }
}
