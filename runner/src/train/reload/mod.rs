//! The run follows its spec: what is saved is taken up, or refused for a reason.

pub mod watch;

pub use watch::{FileWatch, How, Seen};
