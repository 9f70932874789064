//! `runner inspect WEIGHTS`: what is in a weight file.

use crate::weights::{Dtype, WeightFile, WeightsError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Writes names, shapes, types and ranges of all tensors of a weight file, as an aligned table or,
/// with `json`, as one JSON object.
pub fn run(path: &Path, json: bool, out: &mut impl Write) -> Result<(), WeightsError> {
    let contents = Contents::read(path)?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &contents).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        contents.print(out)?;
    }
    out.flush()?;
    Ok(())
}

#[derive(Serialize)]
struct Contents {
    path: String,
    format: String,
    bytes: u64,
    /// Whether the file agrees with the checksum in it; `null` where it has none.
    checksum: Option<bool>,
    metadata: BTreeMap<String, String>,
    values: usize,
    tensors: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    /// `null` for tensors that are not made of floats.
    range: Option<Range>,
}

/// What the finite values of a tensor are like.
#[derive(Serialize)]
struct Range {
    min: f32,
    max: f32,
    mean: f64,
    /// How many values are NaN or infinite.
    not_finite: usize,
}

impl Contents {
    fn read(path: &Path) -> Result<Contents, WeightsError> {
        let mut file = WeightFile::open(path)?;
        let listed: Vec<(String, Vec<usize>, Dtype)> =
            file.tensors().map(|(name, dims, dtype)| (name.to_owned(), dims.to_vec(), dtype)).collect();
        let mut contents = Contents {
            path: path.display().to_string(),
            format: file.format().to_string(),
            bytes: path.metadata().map_or(0, |facts| facts.len()),
            checksum: file.verify()?.then_some(true),
            metadata: file.metadata().clone(),
            values: 0,
            tensors: Vec::new(),
        };
        for (name, shape, dtype) in listed {
            let range = if dtype.is_float() { Range::of(&file.read(&name)?) } else { None };
            contents.values = contents.values.saturating_add(shape.iter().product());
            contents.tensors.push(Row { name, shape, dtype: dtype.to_string(), range });
        }
        Ok(contents)
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        for (key, value) in &self.metadata {
            writeln!(out, "{key}: {value}")?;
        }
        let shapes: Vec<String> = self.tensors.iter().map(Row::shape).collect();
        let name_width = self.tensors.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(6);
        let shape_width = shapes.iter().map(String::len).max().unwrap_or(0).max(5);
        writeln!(
            out,
            "{:name_width$}  {:shape_width$}  {:8}  {:>11}  {:>11}  {:>11}",
            "tensor", "shape", "type", "min", "max", "mean"
        )?;
        for (row, shape) in self.tensors.iter().zip(&shapes) {
            write!(out, "{:name_width$}  {shape:shape_width$}  {:8}", row.name, row.dtype)?;
            match &row.range {
                Some(range) => writeln!(out, "{range}")?,
                None => writeln!(out)?,
            }
        }
        let checksum = if self.checksum == Some(true) { ", checksum holds" } else { "" };
        writeln!(
            out,
            "{}: {} tensors, {} values, {} bytes{checksum}",
            self.format,
            self.tensors.len(),
            self.values,
            self.bytes
        )
    }
}

impl Row {
    fn shape(&self) -> String {
        self.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
    }
}

impl Range {
    /// `None` where no value is finite.
    fn of(values: &[f32]) -> Option<Range> {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let count = finite().count();
        (count > 0).then(|| Range {
            min: finite().fold(f32::INFINITY, f32::min),
            max: finite().fold(f32::NEG_INFINITY, f32::max),
            mean: finite().map(f64::from).sum::<f64>() / count as f64,
            not_finite: values.len() - count,
        })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "  {:>11.4e}  {:>11.4e}  {:>11.4e}", self.min, self.max, self.mean)?;
        if self.not_finite > 0 {
            write!(f, "  {} not finite", self.not_finite)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::save::{NamedTensor, Precision, save};

    #[test]
    fn the_table_is_aligned_and_the_json_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        let tensors = [
            NamedTensor::new("conv.weight", vec![2, 1, 1, 2], vec![-1.0, 2.0, 0.5, 0.5]),
            NamedTensor::new("bias", vec![3], vec![1.0, f32::NAN, 3.0]),
        ];
        let metadata = BTreeMap::from([("made_by".to_owned(), "a test".to_owned())]);
        save(&path, &tensors, &metadata, Precision::Float32).unwrap();

        let mut text = Vec::new();
        run(&path, false, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "made_by: a test");
        assert_eq!(lines[2], "tensor       shape    type              min          max         mean");
        assert_eq!(lines[3], "conv.weight  2x1x1x2  float32     -1.0000e0     2.0000e0    5.0000e-1");
        assert_eq!(lines[4], "bias         3        float32      1.0000e0     3.0000e0     2.0000e0  1 not finite");
        let bytes = path.metadata().unwrap().len();
        assert_eq!(lines[5], format!("safetensors: 2 tensors, 7 values, {bytes} bytes, checksum holds"));

        let mut json = Vec::new();
        run(&path, true, &mut json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["values"], 7);
        assert_eq!(json["checksum"], true);
        assert_eq!(json["tensors"][0]["shape"], serde_json::json!([2, 1, 1, 2]));
        assert_eq!(json["tensors"][0]["range"]["mean"], 0.5);
        assert_eq!(json["tensors"][1]["range"]["not_finite"], 1);
    }
}
