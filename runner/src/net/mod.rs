//! A net: a graph of layers with named stages, its parameters, and its forward pass.

mod auxiliary;
pub mod builder;
mod cut;
pub mod forward;
pub mod graph;
pub mod params;
mod schedule;
pub mod sequential;
pub mod surgery;

pub use builder::{BuildError, Builder};
pub use cut::cut;
pub use forward::{Activations, Forward, Net, Output, Part};
pub use graph::{Exit, Graph, Node, NodeId, Origin, Param, ParamId, Source, Stage};
pub use params::Params;
pub use sequential::SequentialError;
pub use surgery::{Change, Place};

#[cfg(test)]
mod tests;
