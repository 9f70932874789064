//! Layers for `runner` in safe Rust.
//!
//! A plugin is a shared library that brings layers. This is one, whole:
//!
//! ```
//! use runner_plugin::{Backward, Error, Forward, Layer, Shape};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Leaky {
//!     /// What negative values are multiplied by.
//!     slope: f32,
//! }
//!
//! impl Layer for Leaky {
//!     const NAME: &'static str = "leaky";
//!     const DOCUMENTATION: &'static str = "Multiplies negative values by `slope`.";
//!     type Arguments = Self;
//!
//!     fn new(arguments: Self) -> Result<Self, Error> {
//!         Ok(arguments)
//!     }
//!
//!     fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
//!         Ok(inputs[0])
//!     }
//!
//!     fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
//!         for (y, x) in pass.output.iter_mut().zip(pass.inputs[0].values()) {
//!             *y = if *x > 0.0 { *x } else { self.slope * x };
//!         }
//!         Ok(())
//!     }
//!
//!     fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
//!         let Some(dx) = &mut pass.input_gradients[0] else { return Ok(()) };
//!         for ((dx, x), dy) in dx.iter_mut().zip(pass.inputs[0].values()).zip(pass.output_gradient) {
//!             *dx += if *x > 0.0 { *dy } else { self.slope * dy };
//!         }
//!         Ok(())
//!     }
//! }
//! runner_plugin::export_layers!(Leaky);
//! # use runner_plugin::testing::{Trial, Values};
//! # let trial = Trial::<Leaky>::new(serde_json::json!({ "slope": 0.1 })).unwrap();
//! # let x = Values::random([2, 3, 3, 2], 1);
//! # let y = trial.forward(std::slice::from_ref(&x), &[]).unwrap();
//! # assert!(x.values.iter().zip(&y).all(|(x, y)| *y == if *x > 0.0 { *x } else { 0.1 * x }));
//! # trial.check_gradients(&[x], &[]);
//! ```
//!
//! The crate of a plugin has `crate-type = ["cdylib"]` and depends on `runner-plugin`, `serde` and
//! `schemars`.
//!
//! - What a layer says of itself: [`Layer`]; its parameters: [`Parameter`].
//! - What a pass gives: [`Forward`], [`Backward`]. All is bounds-checked; a panic or an error ends
//!   the run with its message, and never the runner itself.
//! - Threads: [`parallel::for_each`]. Random numbers: [`random`].
//! - Tests without a runner: [`testing`]. Gradients by finite differences: [`finite`].

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::undocumented_unsafe_blocks)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_precision_loss)]
#![allow(clippy::missing_errors_doc, clippy::must_use_candidate, clippy::module_name_repetitions)]
#![allow(clippy::cast_sign_loss, clippy::many_single_char_names, clippy::similar_names, clippy::float_cmp)]

#[cfg(panic = "abort")]
compile_error!("a plugin with `panic = \"abort\"` would end the runner by a panic: take it out of the profile");

mod error;
pub mod export;
pub mod finite;
mod host;
mod layer;
pub mod parallel;
mod parameter;
mod pass;
pub mod random;
mod tensor;
pub mod testing;

pub use error::Error;
pub use host::{Level, log};
pub use layer::{Layer, NoArguments};
pub use parameter::{Init, Parameter};
pub use pass::{Backward, Forward};
pub use runner_plugin_abi as abi;
pub use tensor::{Plain, Scratch, Shape, Tensor};

#[cfg(test)]
mod tests {
    #[test]
    fn a_first_layer_takes_less_than_40_lines() {
        let lines = include_str!("lib.rs").lines().skip_while(|line| *line != "//! ```").skip(1);
        let example = lines.take_while(|line| *line != "//! ```").filter(|line| !line.starts_with("//! # "));
        let count = example.count();
        assert!((25..40).contains(&count), "{count} lines");
    }
}
