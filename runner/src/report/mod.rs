//! What a person reads: the terminal, the events.

pub mod plan;

pub use plan::PlanReport;
