//! Plugins: shared libraries that bring layers. Finds, builds, loads and hosts them.
//!
//! A plugin is named by its path ([`source`]: a library, or a folder that is built), copied under the
//! hash of its content (`store`), loaded once and never closed (`library`). It lists kinds of
//! layers ([`Kind`]); a kind makes [`Instance`]s of arguments that its JSON Schema takes; an
//! instance runs in the net as a [`Call`], an operation of the engine.
//!
//! The interface is `plugins/abi/runner_plugin.h`. Together with `engine` this is the only module
//! with unsafe code: what crosses the border is checked here, and nothing above knows of it.

mod build;
mod call;
pub mod check;
pub mod error;
mod guard;
mod host;
pub mod instance;
pub mod kind;
mod library;
pub mod new;
pub mod schema;
pub mod source;
mod store;
mod tensors;
#[cfg(test)]
mod tests;

pub use call::Call;
pub use error::PluginError;
pub use instance::{Instance, Parameter, ParameterInit};
pub use kind::Kind;
pub use library::{Plugin, load};
