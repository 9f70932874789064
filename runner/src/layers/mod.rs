//! Layers: one file each, holding the layer's YAML form, its behaviour and its tests.
//!
//! To add one: write the file, and add one line to the list at the end of this one.

mod adaptive_avg_pool;
mod add;
mod arguments;
mod avg_pool;
mod batch_norm;
mod catalogue;
mod concat;
mod conv2d;
mod conv_transpose2d;
mod drop_block;
mod dropout;
mod elementwise;
mod flatten;
mod gaussian_noise;
mod global_avg_pool;
mod groups;
mod hardswish;
mod kept;
mod linear;
mod max_pool;
mod pad;
pub mod param;
pub mod pass;
mod plugin;
mod relu;
mod relu6;
pub mod shape;
mod sigmoid;
mod silu;
mod spatial_dropout;
mod squeeze_excite;
mod stochastic_depth;
mod unflatten;
mod units;
mod upsample;
mod window;

pub use adaptive_avg_pool::AdaptiveAvgPool;
pub use add::Add;
pub use avg_pool::AvgPool;
pub use batch_norm::BatchNorm;
pub use catalogue::LayerError;
pub use concat::Concat;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::Conv2d;
pub use drop_block::DropBlock;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use gaussian_noise::GaussianNoise;
pub use global_avg_pool::GlobalAvgPool;
pub use groups::Groups;
pub use hardswish::Hardswish;
pub use kept::Kept;
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use pad::Pad;
pub use param::{FirstValues, Init, Layout, ParamDef, Role};
pub use pass::{NormMode, Pass};
pub use plugin::PluginLayer;
pub use relu::Relu;
pub use relu6::Relu6;
pub use shape::Shape;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use spatial_dropout::SpatialDropout;
pub use squeeze_excite::{Gate, SqueezeActivation, SqueezeExcite};
pub use stochastic_depth::StochasticDepth;
pub use unflatten::Unflatten;
pub use units::Units;
pub use upsample::{Upsample, UpsampleMode};

use crate::engine::{Activation, Kernels, Tensor};
use window::{pooled, slide};

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

    /// Multiply-adds for one sample, as papers count them: of convolutions and linear maps only.
    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        let _ = (inputs, output);
        0
    }

    /// Whether the layer draws random numbers in training.
    fn is_random(&self) -> bool {
        false
    }

    /// The activation that this layer is, if it is nothing else: it may run within the layer before
    /// it.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Whether `forward` applies [`Pass::activation`] to its output.
    fn fuses_activation(&self) -> bool {
        false
    }

    /// Whether each output value depends on the input value at the same place alone (and on those
    /// of the other inputs there).
    fn is_elementwise(&self) -> bool {
        false
    }

    /// What backward needs of the forward pass, for one sample: for the estimate of memory.
    fn kept_for_backward(&self, inputs: &[Shape], output: Shape) -> Kept {
        let _ = (inputs, output);
        Kept { inputs: true, output: false, extra: 0 }
    }

    /// The output over a batch.
    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError>;
}

/// The items, if there are as many as the pattern wants.
fn exactly<T, const N: usize>(items: &[T]) -> Result<&[T; N], LayerError> {
    items.try_into().map_err(|_| LayerError::Shape(format!("it takes {N}, not {}", items.len())))
}

catalogue::layers! {
    /// Two-dimensional convolution.
    Conv2d(Conv2d) = "conv2d",
    /// Linear map of a vector of features.
    Linear(Linear) = "linear",
    /// Batch normalization.
    BatchNorm(BatchNorm) = "batch_norm",
    /// `max(x, 0)`.
    Relu(Relu) = "relu",
    /// `min(max(x, 0), 6)`.
    Relu6(Relu6) = "relu6",
    /// `x * sigmoid(x)`.
    Silu(Silu) = "silu",
    /// `1 / (1 + exp(-x))`.
    Sigmoid(Sigmoid) = "sigmoid",
    /// `x * relu6(x + 3) / 6`.
    Hardswish(Hardswish) = "hardswish",
    /// The largest value of each window.
    MaxPool(MaxPool) = "max_pool",
    /// The mean of each window.
    AvgPool(AvgPool) = "avg_pool",
    /// The means of a grid of cells, of one size whatever the image's.
    AdaptiveAvgPool(AdaptiveAvgPool) = "adaptive_avg_pool",
    /// The mean of each channel.
    GlobalAvgPool(GlobalAvgPool) = "global_avg_pool",
    /// Values become 0 at random in training.
    Dropout(Dropout) = "dropout",
    /// Whole channels become 0 at random in training.
    SpatialDropout(SpatialDropout) = "spatial_dropout",
    /// Squares of feature maps become 0 at random in training.
    DropBlock(DropBlock) = "drop_block",
    /// Normal noise is added to values in training.
    GaussianNoise(GaussianNoise) = "gaussian_noise",
    /// Feature maps as one vector.
    Flatten(Flatten) = "flatten",
    /// A sum: a residual connection.
    Add(Add) = "add",
    /// Channels side by side.
    Concat(Concat) = "concat",
    /// A learned gate a channel.
    SqueezeExcite(SqueezeExcite) = "squeeze_excite",
    /// A sample's branch becomes 0 at random in training.
    StochasticDepth(StochasticDepth) = "stochastic_depth",
    /// Two-dimensional transposed convolution.
    ConvTranspose2d(ConvTranspose2d) = "conv_transpose2d",
    /// A larger image.
    Upsample(Upsample) = "upsample",
    /// A vector as feature maps.
    Unflatten(Unflatten) = "unflatten",
}

impl AnyLayer {
    /// The number of classes put in where the YAML says `classes`.
    #[must_use]
    pub fn with_classes(self, classes: usize) -> Self {
        match self {
            AnyLayer::Linear(linear) => Linear { out: linear.out.resolved(classes), ..linear }.into(),
            other => other,
        }
    }

    /// The places of earlier entries of a list that join the entry above: those of [`Add`],
    /// [`Concat`] and the layers of plugins.
    pub fn places(&self) -> &[usize] {
        match self {
            AnyLayer::Add(Add { with }) | AnyLayer::Concat(Concat { with }) => with,
            AnyLayer::Plugin(layer) => &layer.with,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod testing;
