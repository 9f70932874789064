//! `runner datasets`: the data sets that are known by name.

use crate::data::Places;
use crate::data::registry::{self, Location};
use comfy_table::{ContentArrangement, Table, presets};
use std::io::{self, Write};

/// Prints the data sets, and where each of them is.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    list(out, &Places::from_env())
}

fn list(out: &mut impl Write, places: &Places) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["name", "images", "classes", "licence", "where", "source"]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_is_listed_with_its_place() {
        let mut out = Vec::new();
        list(&mut out, &Places::default()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let row = text.lines().nth(1).unwrap();
        for part in ["blood_cells", "1105", "erythrocyte, leukocyte, platelet", "MIT", "to be downloaded", "https://"] {
            assert!(row.contains(part), "{row}");
        }
    }
}
