//! Kernels assembled from dfdx's public operations alone: they run on every dfdx device, and are
//! the oracle that the fast kernels are tested against.
//!
//! Each operation is written once, generic over dfdx's tape, and runs with dfdx's recording tape
//! where [`Tape::records`](super::Tape) says so, else with none (see `taped!`). What dfdx does in
//! its own ways:
//!
//! - A binary operation computes the gradients of both sides. The side that wants none takes part
//!   under an identity of its own, so its gradient is dropped (see `operand`).
//! - A tensor used twice carries the tape once; the other use has an empty one.
//! - Sums are sequential in `f32`, so long ones are taken one dimension after the other.
//! - On CUDA `concat_along` and reshapes of tensors that are not contiguous are compiled at run
//!   time, from paths that may be gone. Here rows are gathered instead; only `concat` uses it.
//! - `max` gives each of equal values the whole gradient, and drops NaN. Pooling compares tap by
//!   tap instead, so one of them gets it; NaN under a window may still be lost.

mod activation;
mod batch_norm;
mod conv;
mod conv_batch_norm;
mod conv_transpose;
mod cross_entropy;
mod elementwise;
mod focal;
mod gather;
mod linear;
mod operand;
mod penalty;
mod pool;
mod squared_error;
mod update;
mod upsample;

pub use activation::{activate, add};
pub use batch_norm::{batch_norm_inference, batch_norm_training};
pub use conv::conv2d;
pub use conv_batch_norm::conv2d_batch_norm;
pub use conv_transpose::conv_transpose2d;
pub use cross_entropy::cross_entropy;
pub use elementwise::{blend, concat, scale};
pub use focal::focal_loss;
pub use linear::{add_bias, matmul};
pub use penalty::{add_to_gradient, approach, limit_norms, pull};
pub use pool::{adaptive_avg_pool, avg_pool, max_pool};
pub use squared_error::mean_squared_error;
pub use update::{adamw_step, all_finite, clip_gradient, gradient_norm_squared, scale_gradient, sgd_step};
pub use upsample::upsample;
