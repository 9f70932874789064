//! What is known of a parameter before it has values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a tensor of a layer is for. It decides on weight decay, initial values and batch norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A weight of a linear map.
    Weight,
    /// What a linear map adds.
    Bias,
    /// The factor of a normalization.
    Scale,
    /// What a normalization adds.
    Shift,
    /// Running mean of batch norm: a buffer, moved by statistics and not by gradients.
    RunningMean,
    /// Running variance of batch norm: a buffer.
    RunningVariance,
}

impl Role {
    /// True for tensors that no gradient moves.
    pub fn is_buffer(self) -> bool {
        matches!(self, Role::RunningMean | Role::RunningVariance)
    }

    /// True for tensors that weight decay moves by default: not norms, not biases.
    pub fn decays(self) -> bool {
        self == Role::Weight
    }
}

/// How initial values of weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Normal with variance `2 / fan_in` (He et al. 2015): for `ReLU` nets.
    #[default]
    Kaiming,
    /// Uniform with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010).
    Xavier,
    /// A random orthogonal matrix times `sqrt(2)` (Saxe et al. 2014).
    Orthogonal,
    /// Normal with variance `1 / fan_in` (LeCun et al. 1998).
    Lecun,
    /// Uniform in `±1 / sqrt(fan_in)`: torch's default for convolutions and linear layers.
    Uniform,
}

/// How a tensor in memory relates to the one in a framework's weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// The same order: vectors.
    Plain,
    /// In memory `(KH, KW, C_in / groups, C_out)`, in files `(C_out, C_in / groups, KH, KW)`.
    Conv,
    /// In memory (in, out), in files (out, in).
    Linear,
    /// Linear after a flatten of an image: in memory rows are H·W·C, in files columns are C·H·W.
    LinearAfterFlatten {
        /// Rows of the flattened image.
        height: usize,
        /// Columns of the flattened image.
        width: usize,
        /// Channels of the flattened image.
        channels: usize,
    },
}

/// A parameter or buffer of a layer, before it has values.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamDef {
    /// The name within the layer: `weight`, `bias`, `running_mean`, ...
    pub name: Cow<'static, str>,
    /// The shape in memory.
    pub dims: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// How files order it.
    pub layout: Layout,
    /// Values that flow into one output, and out of one input: for initial values.
    pub fans: (usize, usize),
    /// Its first values, where they do not follow from what it is for.
    pub init: Option<FirstValues>,
}

/// First values of a parameter that says so itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FirstValues {
    /// All are this.
    Constant(f32),
    /// Uniform between these.
    Uniform(f32, f32),
    /// Normal.
    Normal {
        /// The mean.
        mean: f32,
        /// The standard deviation.
        std: f32,
    },
    /// As weights are drawn.
    Weight,
}

impl ParamDef {
    /// A vector over channels.
    pub fn vector(name: &'static str, len: usize, role: Role) -> Self {
        let name = Cow::Borrowed(name);
        ParamDef { name, dims: vec![len], role, layout: Layout::Plain, fans: (len, len), init: None }
    }

    /// The weight of a linear map, with the values that flow into one output and out of one input.
    pub fn weight(name: &'static str, dims: Vec<usize>, layout: Layout, fans: (usize, usize)) -> Self {
        ParamDef { name: Cow::Borrowed(name), dims, role: Role::Weight, layout, fans, init: None }
    }

    /// The number of values.
    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }
}
