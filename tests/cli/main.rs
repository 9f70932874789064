//! End-to-end tests of the `runner` binary: what a user types, and what they see.

mod weights;
