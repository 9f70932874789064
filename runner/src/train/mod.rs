//! Training: the loop, the phase clock, checkpoints, stop rules.

pub mod events;
pub mod run_dir;

pub use events::{Event, EventLog};
pub use run_dir::RunDir;
