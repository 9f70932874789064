//! Plugins that fail: each is named, none takes the runner down, and what there was is kept.

mod libraries;
mod not_finite;
mod runs;
mod specs;
