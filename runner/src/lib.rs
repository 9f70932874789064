//! Fine-tunes pretrained image backbones as a YAML pipeline says.
//!
//! The way of the data: [`spec`] (what the user wrote) → [`plan`] (what will be done) → [`train`]
//! (does it, into a run directory) → [`report`] (shows it). Below them [`backbones`], [`net`],
//! [`layers`], [`heads`], [`augment`], [`regularize`], [`optim`] and [`data`] each hold one kind of thing, one
//! file a thing; [`plugin`] hosts layers from shared libraries; [`engine`] alone knows dfdx.

pub use runner_engine as engine;

pub mod atomic;
pub mod augment;
pub mod backbones;
pub mod cache;
pub mod commands;
pub mod data;
pub mod heads;
pub mod hex;
pub mod layers;
pub mod le_bytes;
pub mod metrics;
pub mod net;
pub mod optim;
pub mod plan;
pub mod plugin;
pub mod random;
pub mod ranks;
pub mod regularize;
pub mod report;
pub mod spec;
pub mod train;
pub mod weights;
