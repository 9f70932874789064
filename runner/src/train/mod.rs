//! Training: the loop, the phase clock, checkpoints, stop rules.

pub mod error;
pub mod evaluate;
pub mod events;
pub mod frozen;
pub mod observer;
pub mod optimizer;
pub mod run_dir;
pub mod stop;

pub use error::TrainError;
pub use events::{Event, EventLog};
pub use run_dir::RunDir;
pub use stop::StopFlag;
