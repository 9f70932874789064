//! Makes a safetensors file out of any weight file.

use super::error::WeightsError;
use super::file::WeightFile;
use super::save::{NamedTensor, Precision, save};
use super::wildcard;
use std::collections::BTreeMap;
use std::path::Path;

/// What became of the tensors of a converted file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    /// Names of the tensors that were written.
    pub written: Vec<String>,
    /// Names of the tensors that were left out: dropped, or not made of floats.
    pub left_out: Vec<String>,
}

/// Writes the tensors of `input` into the safetensors file `output` under their own names, in
/// `precision`. Tensors that match a pattern of `drop` are left out, and so are integers.
pub fn convert(
    input: &Path,
    output: &Path,
    precision: Precision,
    drop: &[String],
    metadata: &BTreeMap<String, String>,
) -> Result<Converted, WeightsError> {
    let mut file = WeightFile::open(input)?;
    let mut converted = Converted::default();
    let mut kept = Vec::new();
    for (name, dims, dtype) in file.tensors() {
        if dtype.is_float() && !drop.iter().any(|pattern| wildcard::matches(pattern, name)) {
            kept.push((name.to_owned(), dims.to_vec()));
        } else {
            converted.left_out.push(name.to_owned());
        }
    }
    let mut tensors = Vec::new();
    for (name, dims) in kept {
        let values = file.read(&name)?;
        converted.written.push(name.clone());
        tensors.push(NamedTensor::new(name, dims, values));
    }
    save(output, &tensors, metadata, precision)?;
    Ok(converted)
}
