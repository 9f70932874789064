//! The tensors that a layer is tried with.

use crate::plugin::guard;
use crate::plugin::{Parameter, ParameterInit};
use crate::random::{Key, Purpose, Stream};

/// A tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// What it is called in complaints.
    pub name: String,
    pub dims: Vec<usize>,
    pub values: Vec<f32>,
}

/// The signs of random inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// Values of both signs.
    Both,
    /// Positive ones, as after an activation.
    Positive,
}

impl Tensor {
    /// A tensor of `count` values, which `draw` gives.
    fn new(name: String, dims: Vec<usize>, mut draw: impl FnMut() -> f32) -> Self {
        let count = dims.iter().product();
        Tensor { name, dims, values: (0..count).map(|_| draw()).collect() }
    }

    /// An input: values of a magnitude around 1, away from 0, where many layers have a kink.
    pub fn input(number: usize, dims: Vec<usize>, signs: Signs, key: Key) -> Self {
        let mut stream = key.stream();
        Tensor::new(format!("input {number}"), dims, || {
            let magnitude = stream.range(0.1, 1.6);
            let negative = signs == Signs::Both && stream.chance(0.5);
            if negative { -magnitude } else { magnitude }
        })
    }

    /// A parameter as it may be after some training: near its first values, and not all alike.
    pub fn parameter(parameter: &Parameter, key: Key) -> Self {
        let mut stream = key.stream();
        Tensor::new(format!("parameter {}", parameter.name), parameter.dims.clone(), || {
            value_of(parameter.init, &mut stream)
        })
    }

    /// The same in shape, with other values.
    pub fn like(&self, draw: impl FnMut() -> f32) -> Self {
        Tensor::new(self.name.clone(), self.dims.clone(), draw)
    }

    /// A value's name: `input 0[0, 3, 2, 1]`.
    pub fn at(&self, place: usize) -> String {
        format!("{}{}", self.name, guard::at(&self.dims, place))
    }

    /// The first place where the bits differ.
    pub fn differs(&self, other: &[f32]) -> Option<usize> {
        differs(&self.values, other)
    }
}

/// The first place where the bits of values differ.
pub fn differs(one: &[f32], other: &[f32]) -> Option<usize> {
    one.iter().zip(other).position(|(a, b)| a.to_bits() != b.to_bits())
}

fn value_of(init: ParameterInit, stream: &mut Stream) -> f32 {
    match init {
        ParameterInit::Constant(value) => value + stream.range(-0.3, 0.3),
        ParameterInit::Uniform(low, high) => stream.range(low, high),
        ParameterInit::Normal { mean, std } => mean + std * stream.normal(),
        ParameterInit::Weight { fan_in, .. } => stream.normal() / (fan_in as f32).sqrt(),
    }
}

/// The key of what is drawn for a layer under check.
pub fn key(of: &str) -> Key {
    Key::new(0, Purpose::Check).named(of)
}

/// Weights of a random sum of values, or gradients that are as good as any.
pub fn weights(count: usize, key: Key) -> Vec<f32> {
    let mut stream = key.stream();
    (0..count).map(|_| stream.range(-1.0, 1.0)).collect()
}
