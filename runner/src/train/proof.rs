//! Proof that loaded weights are in effect: what each tensor was when it was drawn, what it is once
//! the file is loaded, and what it is after the first step. Kept in a run as `weights.json`.
//!
//! A hash is the SHA-256 of a tensor's values as little-endian float32, in the order of weight files.
//! So that of a tensor that was loaded as it is can be had from the file too.

use super::{RunDir, TrainError};
use crate::engine::Kernels;
use crate::hex::hex;
use crate::le_bytes::le_bytes;
use crate::net::{Graph, Net, Param};
use crate::plan::PhasePlan;
use crate::weights::{LoadReport, layout};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// The file in a run directory.
pub const FILE: &str = "weights.json";

/// What became of each tensor of a net until training has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The file that weights were loaded from, if they were.
    pub file: Option<PathBuf>,
    /// The tensors of the net, in order.
    pub tensors: Vec<Entry>,
}

/// What became of one tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the net.
    pub name: String,
    /// Its shape, as weight files have it.
    pub shape: Vec<usize>,
    /// The tensor of the file that it was loaded from; `null` where it stays as it was drawn.
    pub from: Option<String>,
    /// How it was fitted to another number of channels: `3 to 1 channels by sum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted: Option<String>,
    /// Hash of the values that were drawn for it.
    pub drawn: String,
    /// Hash of the values that training starts from.
    pub loaded: String,
    /// What the first phase does with it.
    pub first_phase: Role,
    /// Hash after the first step; `null` before.
    pub first_step: Option<String>,
}

/// What a phase does with a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Gradients move it.
    Trains,
    /// It is a running statistic that follows the batches.
    Follows,
    /// It may not change.
    Frozen,
}

impl Role {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Trains => "trains",
            Role::Follows => "follows",
            Role::Frozen => "frozen",
        }
    }
}

impl Ledger {
    /// A net whose values were drawn, before its first phase.
    pub fn drawn(graph: &Graph, values: &[Vec<f32>], phase: Option<&PhasePlan>) -> Self {
        let trainable = phase.map(|phase| phase.trainable(graph.params.len())).unwrap_or_default();
        let hashes = hashes(graph, values);
        let entries = graph.params.iter().zip(hashes).enumerate().map(|(id, (param, hash))| Entry {
            name: param.name.clone(),
            shape: layout::file_dims(&param.def),
            from: None,
            adapted: None,
            drawn: hash.clone(),
            loaded: hash,
            first_phase: match phase {
                Some(phase) if phase.moves(graph, id) => Role::Follows,
                _ if trainable.get(id) == Some(&true) => Role::Trains,
                _ => Role::Frozen,
            },
            first_step: None,
        });
        Ledger { file: None, tensors: entries.collect() }
    }

    /// Notes what a file gave.
    pub fn loaded(&mut self, graph: &Graph, values: &[Vec<f32>], report: &LoadReport) {
        self.file = Some(report.file.clone());
        for (entry, hash) in self.tensors.iter_mut().zip(hashes(graph, values)) {
            entry.loaded = hash;
        }
        for (param, name) in &report.matched {
            if let Some(entry) = self.tensors.get_mut(*param) {
                entry.from = Some(name.clone());
            }
        }
        for adapted in &report.adapted {
            if let Some(entry) = self.tensors.get_mut(adapted.param) {
                let how = format!("{} to {} channels by {}", adapted.from, adapted.to, adapted.how.name());
                entry.adapted = Some(how);
            }
        }
    }

    /// Writes it into a run directory.
    pub fn write(&self, dir: &RunDir) -> Result<(), TrainError> {
        let path = dir.file(FILE);
        let json = serde_json::to_vec_pretty(self).map_err(std::io::Error::other).map_err(TrainError::file(&path))?;
        dir.write(FILE, &json).map_err(TrainError::file(&path))
    }
}

/// Adds what the tensors are after the first step, in a run that has a ledger.
pub fn after_first_step<D: Kernels>(dir: &RunDir, net: &Net<D>) -> Result<(), TrainError> {
    let path = dir.file(FILE);
    let Ok(kept) = std::fs::read(&path) else { return Ok(()) };
    let ledger = serde_json::from_slice(&kept).map_err(std::io::Error::other);
    let mut ledger: Ledger = ledger.map_err(TrainError::file(&path))?;
    for ((entry, param), tensor) in ledger.tensors.iter_mut().zip(&net.graph.params).zip(net.params.tensors()) {
        entry.first_step = Some(hash(param, &tensor.read()?));
    }
    ledger.write(dir)
}

fn hashes(graph: &Graph, values: &[Vec<f32>]) -> Vec<String> {
    graph.params.par_iter().zip(values).map(|(param, values)| hash(param, values)).collect()
}

/// The hash of a parameter's values, which are in memory order.
pub fn hash(param: &Param, values: &[f32]) -> String {
    hex(&Sha256::digest(le_bytes(&layout::to_file(&param.def, values))))
}
