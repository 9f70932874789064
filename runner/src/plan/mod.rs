//! The plan: what will be done. All names are resolved; nothing later looks at YAML again.

pub mod cost;
pub mod expand;
#[cfg(test)]
mod fixture;
pub mod groups;
#[cfg(test)]
mod laws;
pub mod norms;
pub mod pattern;
pub mod phase;

pub use phase::{Group, PhasePlan};

use crate::data::DataFacts;
use crate::net::Graph;
use crate::spec::{Pipeline, Problems};

/// What will be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The spec, as it was understood.
    pub spec: Pipeline,
    /// What is known of the data without reading an image.
    pub data: DataFacts,
    /// The net, head included.
    pub graph: Graph,
    /// The phases, shorthand expanded.
    pub phases: Vec<PhasePlan>,
    /// Per channel: `(value / 255 - mean) / std`.
    pub normalize: Normalization,
}

/// How byte values become the net's inputs: `(value / 255 - mean) / std`, per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// Mean of each channel, in [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in [0, 1].
    pub std: Vec<f32>,
}

impl Plan {
    /// Resolves a spec; `dir` is the folder of the spec, to which its paths are relative.
    pub fn new(spec: &Pipeline, dir: &std::path::Path) -> Result<Plan, Problems> {
        let _ = (spec, dir);
        todo!()
    }
}
