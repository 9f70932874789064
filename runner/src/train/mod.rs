//! Training: the loop, the phase clock, checkpoints, stop rules.

mod announce;
pub mod checkpoint;
pub mod error;
pub mod evaluate;
pub mod events;
pub mod files;
pub mod frozen;
pub mod gradients;
pub mod not_finite;
pub mod observer;
pub mod optimizer;
pub mod proof;
pub mod reconstruct;
pub mod run;
pub mod run_dir;
pub mod so_far;
pub mod start;
pub mod step;
pub mod stop;
pub mod summary;

pub use error::TrainError;
pub use events::{Event, EventLog};
pub use run_dir::RunDir;
pub use stop::StopFlag;
