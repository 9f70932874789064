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
    /// Names of the tensors that were to be dropped.
    pub dropped: Vec<String>,
    /// Names of the tensors that were left out because they are not made of floats.
    pub not_floats: Vec<String>,
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
        if drop.iter().any(|pattern| wildcard::matches(pattern, name)) {
            converted.dropped.push(name.to_owned());
        } else if dtype.is_float() {
            kept.push((name.to_owned(), dims.to_vec()));
        } else {
            converted.not_floats.push(name.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::testing::{Saved, legacy_file, on_disk, state_dict};

    #[test]
    fn floats_that_are_not_dropped_are_converted() {
        let tensors = [
            Saved::floats("conv.weight", &[2], &[1.0, 0.1]),
            Saved::floats("fc.weight", &[1], &[1.0]),
            Saved { kind: "LongStorage", bytes: vec![0; 8], ..Saved::floats("bn.num_batches_tracked", &[], &[0.0]) },
        ];
        let (folder, input) = on_disk(&legacy_file(&state_dict(&tensors, None, true), &tensors));
        let output = folder.path().join("out.safetensors");
        let converted = convert(&input, &output, Precision::Float16, &["fc.*".into()], &BTreeMap::new()).unwrap();
        assert_eq!(converted.written, ["conv.weight"]);
        assert_eq!(converted.dropped, ["fc.weight"]);
        assert_eq!(converted.not_floats, ["bn.num_batches_tracked"]);
        let mut file = WeightFile::open(&output).unwrap();
        assert_eq!(file.read("conv.weight").unwrap(), [1.0, 0.099_975_586]);
        assert_eq!(file.tensors().len(), 1);
    }
}
