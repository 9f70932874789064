//! What a person reads: the terminal, the events.

pub mod console;
pub mod number;
pub mod scores;

pub use console::Console;
