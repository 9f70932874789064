//! The spec: what the user wrote, typed, strict, and traceable to its line and column.
//!
//! Bytes become [`text`], text becomes a tree whose nodes know their places ([`parse`], [`node`]),
//! overrides are put into the tree ([`overrides`]), and serde makes a [`Pipeline`] of it
//! ([`typed`]). What is wrong is a list of [`Problem`]s with paths; the [`SourceMap`] turns paths
//! into places, and [`SpecError`] shows them.

pub mod backbone;
pub mod bytes;
pub mod cache;
pub mod channels;
pub mod check;
pub mod checkpoints;
pub mod data;
pub mod diagnostic;
pub mod diff;
pub mod draft;
pub mod engine;
pub mod expected;
pub mod image_memory;
pub mod learning_rate;
pub mod limits;
pub mod load;
pub mod located;
pub mod named;
pub mod node;
pub mod one_or_list;
pub mod overrides;
pub mod parse;
pub mod path;
pub mod per_group;
pub mod phase;
pub mod pipeline;
pub mod plugins;
pub mod problem;
pub mod reference;
pub mod reload;
pub mod resolved;
pub mod schedule;
pub mod schema;
pub mod serde_message;
pub mod shorthand;
pub mod size;
pub mod source_map;
pub mod syntax;
pub mod task;
pub mod text;
pub mod typed;
pub mod until;
pub mod weights;

pub use backbone::{Adapt, Allow, Backbone, Input, Insert};
pub use bytes::Bytes;
pub use cache::{Cache, Precision};
pub use channels::Channels;
pub use check::check;
pub use checkpoints::{Checkpoints, Every};
pub use data::{Data, Fit, Image, Normalize, Source, Split};
pub use diagnostic::SpecError;
pub use diff::{Change, ChangeKind, diff};
pub use draft::Draft;
pub use engine::Engine;
pub use image_memory::ImageMemory;
pub use learning_rate::LearningRate;
pub use load::{Loaded, load, load_text};
pub use one_or_list::OneOrList;
pub use overrides::Override;
pub use path::Path;
pub use per_group::PerGroup;
pub use phase::{NormSetting, Phase};
pub use pipeline::Pipeline;
pub use plugins::{PluginSource, Plugins};
pub use problem::{Problem, Problems};
pub use reload::{Class, UnderWay};
pub use resolved::{to_value, to_yaml};
pub use schedule::Schedule;
pub use schema::schema;
pub use size::Size;
pub use source_map::SourceMap;
pub use task::Task;
pub use until::Until;
pub use weights::{Checkpoint, Weights, WeightsMap};
