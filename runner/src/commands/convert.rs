//! `runner convert IN OUT`: a safetensors file out of any weight file.

use crate::weights::convert::convert;
use crate::weights::save::Precision;
use crate::weights::{WeightFile, WeightsError};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Writes the tensors of `input` into the safetensors file `output`, under their own names, leaving
/// out those that match a pattern of `drop` and those that are not made of floats. What an input of
/// the same format has noted goes with them.
pub fn run(
    input: &Path,
    output: &Path,
    precision: Precision,
    drop: &[String],
    out: &mut impl Write,
) -> Result<(), WeightsError> {
    let notes: BTreeMap<String, String> = WeightFile::open(input)?.metadata().clone();
    let converted = convert(input, output, precision, drop, &notes)?;
    write!(out, "{}: {} tensors", output.display(), converted.written.len())?;
    for (left_out, why) in [(&converted.dropped, "dropped"), (&converted.not_floats, "left out, not being floats")] {
        if !left_out.is_empty() {
            write!(out, ", {} {why}", left_out.len())?;
        }
    }
    writeln!(out)?;
    Ok(())
}
