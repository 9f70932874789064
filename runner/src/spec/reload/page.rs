//! The reference page of what a reload changes when.

use super::Class;
use super::table::ROWS;
use std::fmt::Write;

const BEGIN: &str = "# What a reload changes

A run follows its spec: when the file is saved, what differs is taken up, each field in its time. Where one field needs
a *restart* nothing is taken up.

| class | |
|---|---|
";

const PHASES: &str = "
Of `schedule.phases`, the class is that of the phase that runs. Whatever changes in a phase that has not begun is *next
phase*, whatever changes in one that is done is *past*. `*` is any entry. A list of layers or of augmentations is one
field. A value that comes or goes with several fields has the greatest of their classes, in the order above.
";

/// The page, in Markdown.
pub fn page() -> String {
    let mut page = BEGIN.to_owned();
    for class in Class::ALL {
        let _ = writeln!(page, "| *{class}* | {} |", class.meaning());
    }
    page.push_str(PHASES);
    let mut section = "-";
    for row in ROWS {
        if row.part() != section {
            section = row.part();
            let title = if section.is_empty() { "The top" } else { section };
            let _ = write!(page, "\n## {title}\n\n| field | class | |\n|---|---|---|\n");
        }
        let fields: Vec<String> = row.fields().map(|field| format!("`{field}`")).collect();
        let _ = writeln!(page, "| {} | *{}* | {} |", fields.join("<br>"), row.class, row.why);
    }
    page
}
