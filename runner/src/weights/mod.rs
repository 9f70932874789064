//! Weight files: readers, name maps, the load report.

pub mod init;
pub mod layout;
pub mod report;

pub use report::{LoadReport, WeightsError};
