//! The spec: what the user wrote, typed, strict, and traceable to its line and column.

pub mod backbone;
pub mod data;
pub mod named;
pub mod path;
pub mod per_group;
pub mod pipeline;
pub mod problem;
pub mod schedule;
pub mod size;

pub use backbone::{Allow, Backbone};
pub use data::{Data, Fit, Image, Normalize, Source, Split};
pub use path::Path;
pub use per_group::PerGroup;
pub use pipeline::Pipeline;
pub use problem::{Problem, Problems};
pub use schedule::{GradualUnfreeze, NormSetting, Phase, Schedule};
