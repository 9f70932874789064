//! A net: a graph of layers with named stages, its parameters, and its forward pass.

pub mod builder;
pub mod forward;
pub mod graph;
pub mod params;

pub use builder::{BuildError, Builder};
pub use forward::{Forward, Net};
pub use graph::{Graph, Node, NodeId, Param, ParamId, Stage};
pub use params::Params;
