//! Phases whose names are not looked up in the net yet, as a schedule has them or a shorthand means
//! them.

use super::{Path, Phase};

/// A phase whose names are not resolved yet, and where the spec says what of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The phase as the spec has it, or as the shorthand means it.
    pub phase: Phase,
    /// Where it stands.
    pub at: Place,
}

/// Where a phase stands in the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    settings: Path,
    trains: Path,
    /// Where each entry of `train` stands; where the spec does not list them, `trains`.
    entries: Vec<Path>,
}

impl Place {
    /// Of a phase that is written out at `phase`.
    pub fn written(phase: &Path, entries: usize) -> Self {
        Place::listed(phase, phase.key("train"), entries)
    }

    /// Of a phase whose settings stand at `settings`, and what trains in the list at `trains`.
    pub fn listed(settings: &Path, trains: Path, entries: usize) -> Self {
        let entries = (0..entries).map(|entry| trains.index(entry)).collect();
        Place { settings: settings.clone(), trains, entries }
    }

    /// Of a phase whose settings stand at `settings`, and what trains at `entries` or else at `trains`.
    pub fn scattered(settings: &Path, trains: Path, entries: Vec<Path>) -> Self {
        Place { settings: settings.clone(), trains, entries }
    }

    /// Where entry `index` of `train` stands.
    pub fn train(&self, index: usize) -> Path {
        self.entries.get(index).unwrap_or(&self.trains).clone()
    }

    /// Where the list `train` stands.
    pub fn trains(&self) -> Path {
        self.trains.clone()
    }

    /// Where a setting of the phase stands: `lr`, `batch_norm`.
    pub fn setting(&self, key: &str) -> Path {
        self.settings.key(key)
    }
}
