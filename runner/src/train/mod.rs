//! Training: the loop, the phase clock, checkpoints, stop rules.

pub mod ahead;
mod announce;
pub mod average;
pub mod cache;
pub mod checkpoint;
pub mod error;
pub mod evaluate;
pub mod events;
mod exact;
pub mod factors;
pub mod features;
pub mod files;
pub mod frozen;
mod given;
pub mod gradients;
#[cfg(test)]
mod laws;
pub mod lock;
pub mod lr_find;
mod mix;
pub mod not_finite;
pub mod observer;
pub mod optimizer;
pub mod penalties;
mod pieces;
pub mod proof;
pub mod reconstruct;
pub mod reload;
pub mod run;
pub mod run_dir;
pub mod sampling;
pub mod so_far;
pub mod specs;
pub mod start;
pub mod state;
pub mod statistics;
pub mod step;
pub mod stop;
pub mod summary;
#[cfg(test)]
mod tests;

pub use error::TrainError;
pub use events::{Event, EventLog};
pub use run_dir::RunDir;
pub use stop::StopFlag;
