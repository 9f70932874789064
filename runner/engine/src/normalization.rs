//! Batch normalization by given statistics, as an operand.

use super::{Kernels, Tensor};

/// Per channel `(x - mean) / sqrt(variance + eps) * scale + shift` (Ioffe and Szegedy 2015). All tensors
/// have shape (C).
#[derive(Debug, Clone, Copy)]
pub struct Normalization<'a, D: Kernels> {
    /// What the normalized values are multiplied by.
    pub scale: &'a Tensor<D>,
    /// What is then added.
    pub shift: &'a Tensor<D>,
    /// The given means.
    pub mean: &'a Tensor<D>,
    /// The given variances.
    pub variance: &'a Tensor<D>,
    /// Added to the variance.
    pub eps: f32,
}
