//! The run follows its spec: what is saved is taken up, or refused for a reason.

pub mod replayed;
pub mod saves;
pub mod told;
mod trial;
pub mod watch;

pub use replayed::Replayed;
pub use saves::Saves;
pub use told::Told;
pub use watch::How;

use crate::plan::Plan;
use crate::spec::{Loaded, Override, Pipeline, SpecError, load_text, resolved};
use std::path::Path;

/// A spec that was saved, read and planned.
pub struct Prepared {
    /// The spec as it is written, with places.
    pub loaded: Loaded,
    /// The same with absolute paths: what two specs are compared by.
    pub written: Pipeline,
    /// What it would do.
    pub plan: Plan,
}

impl Prepared {
    /// Reads and plans a text; `name` is what errors call it, and paths in it are relative to `dir`.
    ///
    /// # Errors
    /// All that is wrong with it, each at its place.
    pub fn new(name: &str, text: &str, dir: &Path, sets: &[String]) -> Result<Self, SpecError> {
        let loaded = load_text(name, text, dir, &Override::all(sets))?;
        let plan = Plan::new(&loaded.pipeline, dir).map_err(|problems| loaded.error(&problems))?;
        let written = resolved::absolute(&loaded.pipeline, dir);
        Ok(Prepared { loaded, written, plan })
    }
}

/// Reads and plans what a spec's file says.
fn prepared_from(spec: &Path, text: &str, sets: &[String]) -> Result<Prepared, SpecError> {
    Prepared::new(&spec.display().to_string(), text, spec.parent().unwrap_or(Path::new("")), sets)
}

/// What a run is told of its spec.
pub enum Offer {
    /// It was saved, and can be planned.
    Spec(Box<Prepared>),
    /// It was saved, and something is wrong with it: what, for a person.
    Wrong(String),
    /// It cannot be read any more: the system's words.
    Gone(String),
}

/// Where a run is when it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Steps so far.
    pub step: u64,
    /// What comes next.
    pub stage: &'static str,
}

/// What a run follows.
pub trait Follow: Send {
    /// What is new since it was asked last. Is asked before each step, and where phases begin and end.
    fn latest(&mut self, at: At) -> Option<Offer>;
}

/// Follows nothing: the spec is what it was when the run began.
pub struct Nothing;

impl Follow for Nothing {
    fn latest(&mut self, _: At) -> Option<Offer> {
        None
    }
}
