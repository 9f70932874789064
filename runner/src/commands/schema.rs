//! `runner schema`: the JSON Schema of a spec.

use std::io::Write;

/// Prints the JSON Schema of a spec.
pub fn run() -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", crate::spec::schema::text())
}
