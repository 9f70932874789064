//! `runner inspect --loaded SPEC`: which values a run of a spec would start from, tensor by tensor.

use super::CommandError;
use crate::train::proof::{Entry, Ledger};
use crate::train::start::Start;
use std::io::Write;
use std::path::Path;

/// Digits of a hash that a person is shown; programs get all.
const DIGITS: usize = 12;

/// Writes, for each tensor of a spec's net, what it is loaded from and the hashes of what was drawn
/// and of what training starts from. `sets` are values in place of the spec's.
pub fn run(spec: &Path, sets: &[String], json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let (_, plan) = super::plan::load(spec, sets)?;
    let start = Start::of(&plan)?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &start.ledger).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&start.ledger, &start.told, out)?;
    }
    Ok(out.flush()?)
}

fn print(ledger: &Ledger, told: &str, out: &mut impl Write) -> std::io::Result<()> {
    let longest = |of: fn(&Entry) -> usize, least: usize| ledger.tensors.iter().map(of).max().unwrap_or(0).max(least);
    let name = longest(|entry| entry.name.chars().count(), "tensor".len());
    let from = longest(|entry| origin(entry).chars().count(), "from".len());
    writeln!(out, "{:name$}  {:from$}  {:DIGITS$}  {:DIGITS$}  first phase", "tensor", "from", "drawn", "loaded")?;
    for entry in &ledger.tensors {
        let [drawn, loaded] = [&entry.drawn, &entry.loaded].map(|hash| hash.chars().take(DIGITS).collect::<String>());
        let phase = entry.first_phase.name();
        writeln!(out, "{:name$}  {:from$}  {drawn}  {loaded}  {phase}", entry.name, origin(entry))?;
    }
    let changed = ledger.tensors.iter().filter(|entry| entry.drawn != entry.loaded).count();
    writeln!(out, "{told}")?;
    writeln!(out, "{changed} of {} tensors differ from what was drawn for them", ledger.tensors.len())
}

fn origin(entry: &Entry) -> String {
    match (&entry.from, &entry.adapted) {
        (None, _) => "-".to_owned(),
        (Some(from), None) => from.clone(),
        (Some(from), Some(how)) => format!("{from} ({how})"),
    }
}
