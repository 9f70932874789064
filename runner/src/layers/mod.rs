//! Layers: one file each, holding the layer's YAML form, its behaviour and its tests.
//!
//! To add one: write the file, and add one line to the list at the end of this one.

mod catalogue;
mod conv2d;
pub mod param;
pub mod pass;
mod relu;
pub mod shape;

pub use catalogue::LayerError;
pub use conv2d::Conv2d;
pub use param::{Init, Layout, ParamDef, Role};
pub use pass::{NormMode, Pass};
pub use relu::Relu;
pub use shape::Shape;

use crate::engine::{Kernels, Tensor};

/// What a layer is: shapes and parameters when planning, the forward pass when training.
///
/// Backward is the tape's business: a layer is made of operations of [`Kernels`].
pub trait Layer {
    /// The shape of the output for one sample, or why these inputs do not fit.
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError>;

    /// The parameters and buffers over these inputs, in the order in which `forward` gets them.
    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let _ = inputs;
        Vec::new()
    }

    /// Multiply-adds for one sample.
    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        let _ = (inputs, output);
        0
    }

    /// Whether the layer draws random numbers in training.
    fn is_random(&self) -> bool {
        false
    }

    /// The output over a batch.
    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError>;
}

catalogue::layers! {
    /// Two-dimensional convolution.
    Conv2d(Conv2d) = "conv2d",
    /// `max(x, 0)`.
    Relu(Relu) = "relu",
}
