//! `runner schema`: the JSON Schema of a spec.

use std::io::{self, Write};

/// Prints the JSON Schema of a spec.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", crate::spec::schema::text())
}
