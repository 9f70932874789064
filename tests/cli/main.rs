//! End-to-end tests of the `runner` binary: what a user types, and what they see.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod augment;
mod autoencoder;
mod broken_specs;
mod commands;
mod determinism;
mod docs;
mod failures;
mod faulty_plugins;
mod folds;
mod heads;
mod interrupt;
mod layerwise;
mod lr_find;
mod plugin_check;
mod plugin_new;
mod plugin_support;
mod plugins;
mod regularization;
mod support;
mod surgery;
mod training;
mod views;
mod weights;
