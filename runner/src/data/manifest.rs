//! A CSV file that lists images: `path,label` and perhaps `group`, `split` and other columns.

use super::sample::Pointer;
use super::{DataError, Sample, Samples, split};
use std::collections::HashMap;
use std::path::Path;

/// The column that groups where the spec names none.
const GROUP: &str = "group";

/// No list of images is larger.
const LARGEST: u64 = 1 << 30;

/// Reads a manifest; no image is opened. Paths in it are relative to its folder. Samples are
/// grouped by the column `group`: the one that is asked for, else one that is called so, if any.
/// Labels are names; classes are sorted, by value where all are numbers.
///
/// What is wrong is told as `FILE:LINE: ...`.
pub fn list(file: &Path, group: Option<&str>) -> Result<Samples, DataError> {
    let bytes = read(file)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut rows = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text).into_records();
    let header = match rows.next() {
        Some(row) => row.map_err(|error| broken(file, &error))?,
        None => return Err(DataError::invalid(format!("{} is empty", file.display()))),
    };
    let columns = Columns::find(file, &header, group)?;
    let folder = file.parent().unwrap_or(Path::new(""));

    let mut listing = Vec::new();
    let mut lines: HashMap<String, u64> = HashMap::new();
    for row in rows {
        let row = row.map_err(|error| broken(file, &error))?;
        let line = row.position().map_or(0, csv::Position::line);
        let (sample, label) = columns.sample(folder, &row).map_err(|message| at(file, line, &message))?;
        if let Some(first) = lines.insert(sample.name.clone(), line) {
            return Err(at(file, line, &format!("`{}` is listed already in line {first}", sample.name)));
        }
        listing.push((sample, label));
    }
    if listing.is_empty() {
        return Err(DataError::invalid(format!("{} lists no images", file.display())));
    }
    Ok(labelled(listing))
}

fn read(file: &Path) -> Result<Vec<u8>, DataError> {
    let facts = std::fs::metadata(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => DataError::Unavailable(format!("{} does not exist", file.display())),
        _ => DataError::invalid(format!("{} cannot be read: {error}", file.display())),
    })?;
    if !facts.is_file() {
        return Err(DataError::invalid(format!("{} is not a file", file.display())));
    }
    if facts.len() > LARGEST {
        return Err(DataError::invalid(format!("{} is too large for a list of images", file.display())));
    }
    std::fs::read(file).map_err(|error| DataError::invalid(format!("{} cannot be read: {error}", file.display())))
}

/// Where the columns are.
struct Columns {
    count: usize,
    path: usize,
    label: usize,
    group: Option<(usize, String)>,
    split: Option<usize>,
}

impl Columns {
    fn find(file: &Path, header: &csv::StringRecord, group: Option<&str>) -> Result<Self, DataError> {
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        if let Some(twice) = names.iter().enumerate().find(|(i, name)| names.iter().take(*i).any(|n| n == *name)) {
            return Err(at(file, 1, &format!("there are two columns `{}`", twice.1)));
        }
        let find = |name: &str| names.iter().position(|column| *column == name);
        let needed = |name: &str| {
            find(name).ok_or_else(|| {
                let found: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                at(file, 1, &format!("there is no column `{name}`; found {}", found.join(", ")))
            })
        };
        let (path, label) = (needed("path")?, needed("label")?);
        let group = match group {
            Some(name) if ["path", "label", "split"].contains(&name) || find(name).is_none() => {
                let offered = names.iter().filter(|name| !["path", "label", "split"].contains(name));
                return Err(DataError::NoGroup {
                    what: file.display().to_string(),
                    wanted: name.to_owned(),
                    offered: offered.map(|name| (*name).to_owned()).collect(),
                });
            }
            Some(name) => find(name).map(|column| (column, name.to_owned())),
            None => find(GROUP).map(|column| (column, GROUP.to_owned())),
        };
        Ok(Columns { count: names.len(), path, label, group, split: find("split") })
    }

    /// The sample of a row, without its label's place, and its label.
    fn sample(&self, folder: &Path, row: &csv::StringRecord) -> Result<(Sample, String), String> {
        if row.len() != self.count {
            return Err(format!("{} fields where the first line has {}", row.len(), self.count));
        }
        let field = |column: usize, name: &str| match row.get(column).map(str::trim) {
            None | Some("") => Err(format!("`{name}` is empty")),
            Some(text) => Ok(text.to_owned()),
        };
        let path = field(self.path, "path")?;
        let label = field(self.label, "label")?;
        let group = self.group.as_ref().map(|(column, name)| field(*column, name)).transpose()?;
        let split = match self.split {
            None => None,
            Some(column) => {
                let text = field(column, "split")?;
                Some(split::parse(&text).ok_or_else(|| format!("the split `{text}` is none of train, val, test"))?)
            }
        };
        let pointer = Pointer::File(folder.join(&path));
        Ok((Sample { name: path, pointer, label: 0, group, split }, label))
    }
}

/// Gives the labels their places.
fn labelled(listing: Vec<(Sample, String)>) -> Samples {
    let mut classes: Vec<String> = listing.iter().map(|(_, label)| label.clone()).collect();
    classes.sort_unstable();
    classes.dedup();
    // `sort_by` is stable: labels of equal value (`1`, `1.0`) stay in the order of their text.
    if let Some(mut numbers) =
        classes.iter().map(|label| Some((label.parse::<f64>().ok()?, label.clone()))).collect::<Option<Vec<_>>>()
    {
        numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
        classes = numbers.into_iter().map(|(_, label)| label).collect();
    }
    let places: HashMap<&str, usize> = classes.iter().enumerate().map(|(i, label)| (label.as_str(), i)).collect();
    let samples = listing
        .into_iter()
        .map(|(sample, label)| Sample { label: places.get(label.as_str()).copied().unwrap_or_default(), ..sample })
        .collect();
    Samples { classes, samples }
}

fn at(file: &Path, line: u64, message: &str) -> DataError {
    DataError::invalid(format!("{}:{line}: {message}", file.display()))
}

fn broken(file: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => at(file, line, "this is not UTF-8 text"),
        _ => at(file, line, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SplitName;

    fn manifest(text: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.csv");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    fn error(text: impl AsRef<[u8]>) -> String {
        let (folder, file) = manifest(text);
        list(&file, None).unwrap_err().to_string().replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn a_manifest_from_a_spreadsheet_is_read() {
        let (folder, file) = manifest(
            "\u{feff}label,path,patient,split\r\nbenign,\"a, b.png\",p1,train\r\n\"mal\"\"ign\"\"ant\",sub/c.png,p2,valid\r\n\r\nbenign,d.png,p1,train\r\n",
        );
        let samples = list(&file, Some("patient")).unwrap();
        assert_eq!(samples.classes, ["benign", "mal\"ign\"ant"]);
        assert_eq!(samples.samples.len(), 3);
        assert_eq!(
            samples.samples[1],
            Sample {
                name: "sub/c.png".into(),
                pointer: Pointer::File(folder.path().join("sub/c.png")),
                label: 1,
                group: Some("p2".into()),
                split: Some(SplitName::Val),
            }
        );
        assert_eq!(samples.samples[0].name, "a, b.png");
    }

    #[test]
    fn a_column_called_group_groups_unasked() {
        let (_folder, file) = manifest("path,label,group,scanner\na.png,x,g1,s1\nb.png,y,g2,s1\n");
        let groups = |by| -> Vec<String> {
            list(&file, by).unwrap().samples.into_iter().filter_map(|sample| sample.group).collect()
        };
        assert_eq!(groups(None), ["g1", "g2"]);
        assert_eq!(groups(Some("scanner")), ["s1", "s1"]);
        let error = list(&file, Some("scaner")).unwrap_err();
        assert!(matches!(error, DataError::NoGroup { offered, .. } if offered == ["group", "scanner"]));
        assert!(matches!(list(&file, Some("label")), Err(DataError::NoGroup { .. })));
    }

    #[test]
    fn numeric_labels_are_sorted_by_value() {
        let (_folder, file) = manifest("path,label\na,10\nb,9\nc,-1\nd,9.5\n");
        assert_eq!(list(&file, None).unwrap().classes, ["-1", "9", "9.5", "10"]);
        let (_folder, file) = manifest("path,label\na,10\nb,9\nc,x\n");
        assert_eq!(list(&file, None).unwrap().classes, ["10", "9", "x"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert_eq!(error(""), "DIR/m.csv is empty");
        assert_eq!(error("path,label\n"), "DIR/m.csv lists no images");
        assert_eq!(error("file,class\na,b\n"), "DIR/m.csv:1: there is no column `path`; found `file`, `class`");
        assert_eq!(error("path;label\na;b\n"), "DIR/m.csv:1: there is no column `path`; found `path;label`");
        assert_eq!(error("path,label,path\n"), "DIR/m.csv:1: there are two columns `path`");
        assert_eq!(error("path,label\na,x\nb\n"), "DIR/m.csv:3: 1 fields where the first line has 2");
        assert_eq!(error("path,label\na,x\nb,\n"), "DIR/m.csv:3: `label` is empty");
        assert_eq!(error("path,label,group\na,x,\n"), "DIR/m.csv:2: `group` is empty");
        assert_eq!(error("path,label\na,x\nb,x\na,y\n"), "DIR/m.csv:4: `a` is listed already in line 2");
        assert_eq!(error("path,label\n\"a\nb\",x\nc,\n"), "DIR/m.csv:4: `label` is empty");
        assert_eq!(
            error("path,label,split\na,x,train\nb,x,dev\n"),
            "DIR/m.csv:3: the split `dev` is none of train, val, test"
        );
        assert_eq!(error(b"path,label\na,x\nb,\xff\xfe\n"), "DIR/m.csv:3: this is not UTF-8 text");
    }

    #[test]
    fn a_missing_manifest_is_told_apart_from_a_broken_one() {
        let (folder, file) = manifest("");
        assert!(matches!(list(&folder.path().join("none.csv"), None), Err(DataError::Unavailable(_))));
        assert!(matches!(list(folder.path(), None), Err(DataError::Invalid(_))));
        assert!(matches!(list(&file, None), Err(DataError::Invalid(_))));
    }
}
