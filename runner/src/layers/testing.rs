//! What the tests of layers share.
#![allow(clippy::unwrap_used)]

use super::{AnyLayer, Layer, LayerError, NormMode, Pass, Shape};
use crate::engine::{Activation, Cpu, KernelSet, Tape, Tensor};
use crate::random::{Key, Purpose};

pub fn image(height: usize, width: usize, channels: usize) -> Shape {
    Shape::Image { height, width, channels }
}

/// The layer of this YAML; what it is written as must read the same.
pub fn parse(yaml: &str) -> AnyLayer {
    let layer: AnyLayer = serde_yaml::from_str(yaml).unwrap();
    let written = serde_yaml::to_string(&layer).unwrap();
    // serde_yaml writes an enum as a tag, which the catalogue does not read; a map is the form here.
    let json = serde_json::to_value(&layer).unwrap();
    assert_eq!(serde_json::from_value::<AnyLayer>(json).unwrap(), layer, "{written}");
    layer
}

/// What is said of this YAML.
pub fn parse_error(yaml: &str) -> String {
    serde_yaml::from_str::<AnyLayer>(yaml).unwrap_err().to_string()
}

/// What is said of a layer over these inputs.
pub fn shape_error(layer: impl Into<AnyLayer>, inputs: &[Shape]) -> String {
    layer.into().output(inputs).unwrap_err().to_string()
}

pub fn tensor(dims: &[usize], values: &[f32]) -> Tensor<Cpu> {
    Tensor::from_vec(&Cpu::default(), values.to_vec(), dims).unwrap()
}

/// How a layer is run.
#[derive(Clone)]
pub struct Trial {
    pub training: bool,
    pub norm: NormMode,
    pub activation: Option<Activation>,
    pub seed: u64,
    pub node: u64,
    pub samples: Vec<u64>,
}

impl Default for Trial {
    fn default() -> Self {
        Trial {
            training: false,
            norm: NormMode::Inference,
            activation: None,
            seed: 1,
            node: 0,
            samples: (0..64).collect(),
        }
    }
}

impl Trial {
    pub fn training() -> Self {
        Trial { training: true, ..Trial::default() }
    }

    /// Output and updates, after a check that both kernel sets give the same.
    pub fn run(&self, layer: impl Into<AnyLayer>, inputs: &[Tensor<Cpu>], params: &[Tensor<Cpu>]) -> Outcome {
        let layer = layer.into();
        let fast = self.with(KernelSet::Fast, &layer, inputs, params).unwrap();
        let assembled = self.with(KernelSet::Assembled, &layer, inputs, params).unwrap();
        assert_eq!(fast.dims, assembled.dims);
        assert_near(&fast.values, &assembled.values);
        fast
    }

    pub fn error(&self, layer: impl Into<AnyLayer>, inputs: &[Tensor<Cpu>], params: &[Tensor<Cpu>]) -> String {
        self.with(KernelSet::Fast, &layer.into(), inputs, params).unwrap_err().to_string()
    }

    fn with(
        &self,
        kernels: KernelSet,
        layer: &AnyLayer,
        inputs: &[Tensor<Cpu>],
        params: &[Tensor<Cpu>],
    ) -> Result<Outcome, LayerError> {
        let mut tape = Tape::off(kernels);
        let mut pass = Pass {
            tape: &mut tape,
            training: self.training,
            norm: self.norm,
            key: Key::new(self.seed, Purpose::Layer),
            samples: &self.samples,
            activation: self.activation,
            node: self.node,
            updates: Vec::new(),
        };
        let output = layer.forward(inputs, params, &mut pass)?;
        let updates = pass.updates.iter().map(|(place, tensor)| (*place, tensor.to_vec())).collect();
        Ok(Outcome { dims: output.dims().to_vec(), values: output.to_vec(), updates })
    }
}

/// What a layer gave.
#[derive(Debug)]
pub struct Outcome {
    pub dims: Vec<usize>,
    pub values: Vec<f32>,
    pub updates: Vec<(usize, Vec<f32>)>,
}

/// The values of a layer over one input in evaluation.
pub fn evaluate(layer: impl Into<AnyLayer>, input: &Tensor<Cpu>, params: &[Tensor<Cpu>]) -> Outcome {
    Trial::default().run(layer, std::slice::from_ref(input), params)
}

/// Checks values to a few units in the last place.
#[track_caller]
pub fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{found:?} is not {expected:?}");
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 2e-6 * (1.0 + b.abs()));
    assert!(near, "{found:?} is not {expected:?}");
}
