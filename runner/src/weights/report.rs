//! Which tensors of a weight file go where, and what does not fit.

use crate::backbones::Arch;
use crate::net::{Graph, ParamId};
use crate::spec::Allow;
use std::path::Path;

/// A weight file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file cannot be read, or is not what it claims to be.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Which tensors of a weight file go where. Made from the file's table of contents; values are
/// read later.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadReport {
    /// Parameters and the file's tensors that they take.
    pub matched: Vec<(ParamId, String)>,
    /// Parameters of the net (head apart) that the file lacks.
    pub missing: Vec<String>,
    /// Tensors of the file that the net lacks.
    pub unexpected: Vec<String>,
    /// Parameters whose shapes differ: name, net's, file's (both in file order).
    pub wrong_shape: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// One sentence for each gap that `allow` does not let pass; empty when loading may go on.
    pub refused: Vec<String>,
}

/// Holds a weight file against a net. The stage `head` may be missing from the file.
pub fn report(file: &Path, graph: &Graph, arch: Option<Arch>, allow: &Allow) -> Result<LoadReport, WeightsError> {
    let _ = (file, graph, arch, allow);
    todo!()
}

/// Reads the values of all matched parameters, in memory order.
pub fn read(file: &Path, graph: &Graph, report: &LoadReport) -> Result<Vec<(ParamId, Vec<f32>)>, WeightsError> {
    let _ = (file, graph, report);
    todo!()
}
