//! Every operation and every gradient, on both sets of kernels, against naive references in `f64`.

mod alone;
pub mod check;
mod conv;
#[cfg(feature = "cuda")]
mod cuda;
mod decoder;
mod elementwise;
mod focal;
mod foreign;
mod fused;
mod linear;
mod net;
mod norm;
mod penalty;
mod pool;
// The generator of the crate above, which this one cannot depend on.
#[path = "../../../src/random.rs"]
#[allow(dead_code, clippy::doc_markdown)]
pub mod random;
mod update;
