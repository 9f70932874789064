//! `runner datasets`: the data sets that are known by name, and those that are generated.

use crate::data::registry::{self, Location};
use crate::data::{Places, synthetic};
use comfy_table::{ContentArrangement, Table, presets};
use std::io::{self, Write};

/// Prints the data sets, and where each of them is.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    known(out, &Places::from_env())?;
    writeln!(out)?;
    generated(out)
}

/// `source: { dataset: ... }`.
fn known(out: &mut impl Write, places: &Places) -> io::Result<()> {
    let mut table = table(["dataset", "images", "classes", "licence", "where", "source"]);
    for entry in registry::all() {
        let place = match registry::locate(entry, places) {
            Location::Prepared(folder) => format!("prepared in {}", folder.display()),
            Location::Archive(file) => format!("to be prepared from {}", file.display()),
            Location::Unchecked(folder) => format!("unchecked, in {}", folder.display()),
            Location::Download => "to be downloaded".to_owned(),
        };
        table.add_row([
            entry.name.to_owned(),
            entry.images.to_string(),
            entry.classes.join(", "),
            entry.licence.to_owned(),
            place,
            entry.url.to_owned(),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// `source: { synthetic: ... }`.
fn generated(out: &mut impl Write) -> io::Result<()> {
    let mut table = table(["synthetic", "images", "group", "classes"]);
    for generator in synthetic::all() {
        table.add_row([
            generator.name.to_owned(),
            generator.samples.to_string(),
            generator.groups.to_owned(),
            generator.classes.join(", "),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())
}

fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_is_listed_with_its_place() {
        let mut out = Vec::new();
        known(&mut out, &Places::default()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let row = text.lines().nth(1).unwrap();
        for part in ["blood_cells", "1105", "erythrocyte, leukocyte, platelet", "MIT", "to be downloaded", "https://"] {
            assert!(row.contains(part), "{row}");
        }
    }
    #[test]
    fn every_generator_is_listed_with_its_groups() {
        let mut out = Vec::new();
        generated(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1 + synthetic::all().len());
        let row = text.lines().find(|row| row.trim_start().starts_with("sign_language")).unwrap();
        for part in ["1080", "signer", "a, b, c", "z, space"] {
            assert!(row.contains(part), "{row}");
        }
    }
}
