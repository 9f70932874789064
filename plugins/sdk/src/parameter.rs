use crate::{Error, Shape};
use runner_plugin_abi as abi;
use std::ffi::CString;

/// How the first values of a parameter are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All are this.
    Constant(f32),
    /// Uniform from the first to the second.
    Uniform(f32, f32),
    /// Normal with this mean and standard deviation.
    Normal(f32, f32),
    /// As the pipeline initialises weights.
    Weight {
        /// Values that flow into one output.
        fan_in: usize,
        /// Values that flow out of one input.
        fan_out: usize,
    },
}

/// A parameter of a layer. The runner owns its values, trains, freezes and saves them.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Within the layer: letters, digits and `_`.
    pub name: String,
    /// Its dimensions, at least one.
    pub shape: Shape,
    /// How its first values are made.
    pub init: Init,
    /// Whether weight decay moves it.
    pub weight_decay: bool,
}

impl Parameter {
    /// All values are `value` at first: a bias, a scale. Weight decay leaves it alone.
    pub fn constant(name: impl Into<String>, shape: impl Into<Shape>, value: f32) -> Self {
        Parameter { name: name.into(), shape: shape.into(), init: Init::Constant(value), weight_decay: false }
    }

    /// Uniform from `low` to `high` at first.
    pub fn uniform(name: impl Into<String>, shape: impl Into<Shape>, low: f32, high: f32) -> Self {
        Parameter { name: name.into(), shape: shape.into(), init: Init::Uniform(low, high), weight_decay: true }
    }

    /// Normal with this mean and standard deviation at first.
    pub fn normal(name: impl Into<String>, shape: impl Into<Shape>, mean: f32, deviation: f32) -> Self {
        Parameter { name: name.into(), shape: shape.into(), init: Init::Normal(mean, deviation), weight_decay: true }
    }

    /// A weight, initialised as the pipeline says: `fan_in` values flow into one output, `fan_out` out
    /// of one input.
    pub fn weight(name: impl Into<String>, shape: impl Into<Shape>, fan_in: usize, fan_out: usize) -> Self {
        let init = Init::Weight { fan_in, fan_out };
        Parameter { name: name.into(), shape: shape.into(), init, weight_decay: true }
    }

    /// The same, moved by weight decay or not.
    #[must_use]
    pub fn decay(mut self, weight_decay: bool) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Hands it over as the header describes parameters.
    pub(crate) fn give(&self, take: impl FnOnce(&abi::Parameter)) -> Result<(), Error> {
        let name = CString::new(self.name.as_str()).map_err(|_| "the name of a parameter has a zero byte in it")?;
        let (init, a, b) = match self.init {
            Init::Constant(value) => (abi::INIT_CONSTANT, value, 0.0),
            Init::Uniform(low, high) => (abi::INIT_UNIFORM, low, high),
            Init::Normal(mean, deviation) => (abi::INIT_NORMAL, mean, deviation),
            Init::Weight { .. } => (abi::INIT_WEIGHT, 0.0, 0.0),
        };
        let (fan_in, fan_out) = match self.init {
            Init::Weight { fan_in, fan_out } => (fan_in, fan_out),
            _ => (0, 0),
        };
        let shape = self.shape.to_abi()?;
        take(&abi::Parameter {
            size: size_of::<abi::Parameter>(),
            name: name.as_ptr(),
            rank: shape.rank,
            dims: shape.dims,
            init,
            a,
            b,
            weight_decay: i32::from(self.weight_decay),
            fan_in: size(fan_in)?,
            fan_out: size(fan_out)?,
        });
        Ok(())
    }
}

fn size(value: usize) -> Result<i64, Error> {
    i64::try_from(value).map_err(|_| format!("{value} is too large").into())
}
