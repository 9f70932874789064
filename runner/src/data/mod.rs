//! Images: where they come from, how they are split, read and handed to training.

pub mod facts;
pub mod sample;

pub use facts::DataFacts;
pub use sample::{Sample, Samples, SplitName};
