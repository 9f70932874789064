//! Weight files: readers, name maps, the load report, and what files and memory order differently.
//!
//! A weight file is untrusted: every length, offset and name in it is checked before it is used, and
//! nothing in it is ever executed.

pub mod adapt;
pub mod convert;
pub mod dtype;
pub mod error;
pub mod file;
pub mod init;
pub mod layout;
pub mod load_report;
mod matching;
pub mod names;
mod place;
mod pth;
mod put_in;
pub mod report;
mod safetensors;
pub mod save;
pub mod take;
pub mod wildcard;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod heads_tests;
#[cfg(test)]
mod testing;

pub use dtype::Dtype;
pub use error::WeightsError;
pub use file::WeightFile;
pub use load_report::LoadReport;
pub use save::NamedTensor;
pub use take::Take;
