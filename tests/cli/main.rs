//! End-to-end tests of the `runner` binary: what a user types, and what they see.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod augment;
mod autoencoder;
mod broken_specs;
mod commands;
mod determinism;
mod failures;
mod faulty_plugins;
mod interrupt;
mod plugin_check;
mod plugin_new;
mod plugin_support;
mod plugins;
mod support;
mod surgery;
mod training;
mod weights;
