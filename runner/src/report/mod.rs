//! What a person reads: the terminal, the events.

pub mod console;
pub mod folds;
pub mod lr_curve;
pub mod number;
pub mod plan;
mod reload;
pub mod scores;
pub mod sheet;

pub use console::Console;
pub use folds::FoldScores;
pub use plan::{ImagesReport, PlanReport};
