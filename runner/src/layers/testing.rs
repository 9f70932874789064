//! What the tests of layers share.
#![allow(clippy::unwrap_used)]

use super::{AnyLayer, Layer, LayerError, NormMode, Pass, Shape};
use crate::engine::{Activation, Cpu, KernelSet, Kernels, Tape, Tensor};
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

/// Output and updates.
type Ran = (Tensor<Cpu>, Vec<(usize, Tensor<Cpu>)>);

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
        let (output, updates) = self.on(&mut Tape::off(kernels), layer, inputs, params)?;
        let updates = updates.iter().map(|(place, tensor)| (*place, tensor.to_vec())).collect();
        Ok(Outcome { dims: output.dims().to_vec(), values: output.to_vec(), updates })
    }

    /// Output and updates on a tape.
    fn on(
        &self,
        tape: &mut Tape<Cpu>,
        layer: &AnyLayer,
        inputs: &[Tensor<Cpu>],
        params: &[Tensor<Cpu>],
    ) -> Result<Ran, LayerError> {
        let mut pass = Pass {
            tape,
            training: self.training,
            norm: self.norm,
            key: Key::new(self.seed, Purpose::Layer),
            samples: &self.samples,
            joined: None,
            activation: self.activation,
            node: self.node,
            updates: Vec::new(),
        };
        let output = layer.forward(inputs, params, &mut pass)?;
        Ok((output, pass.updates))
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

/// Holds the gradient of a layer over one input against finite differences, in both kernel sets. The
/// layer must be linear in its input, or close to it: its random numbers are those of the trial.
#[track_caller]
pub fn check_gradient(trial: &Trial, layer: impl Into<AnyLayer>, dims: &[usize]) {
    let layer = layer.into();
    let mut stream = Key::new(5, Purpose::Check).stream();
    let count: usize = dims.iter().product();
    let values: Vec<f32> = (0..count).map(|_| stream.normal()).collect();
    let output = trial.run(layer.clone(), &[tensor(dims, &values)], &[]);
    let weights: Vec<f32> = output.values.iter().map(|_| stream.normal()).collect();
    let loss = |values: &[f32]| -> f64 {
        let output = trial.run(layer.clone(), &[tensor(dims, values)], &[]).values;
        output.iter().zip(&weights).map(|(&y, &w)| f64::from(y) * f64::from(w)).sum()
    };
    for kernels in [KernelSet::Fast, KernelSet::Assembled] {
        let mut tape = Tape::recording(kernels);
        let input = tensor(dims, &values).wanting_grad(true);
        let output = trial.on(&mut tape, &layer, std::slice::from_ref(&input), &[]).unwrap().0;
        let row = output.reshape(&[1, output.len()]).unwrap();
        let column = tensor(&[weights.len(), 1], &weights);
        let sum = Cpu::matmul(&mut tape, &row, &column).unwrap().reshape(&[]).unwrap();
        let gradient = tape.backward(&sum).unwrap().of(&input).unwrap().to_vec();
        for place in 0..count {
            let moved = |by: f32| {
                let mut values = values.clone();
                values[place] += by;
                loss(&values)
            };
            let slope = (moved(0.125) - moved(-0.125)) / 0.25;
            let found = f64::from(gradient[place]);
            assert!((found - slope).abs() < 1e-4 * (1.0 + slope.abs()), "{kernels:?} [{place}]: {found} for {slope}");
        }
        assert!(gradient.iter().any(|&g| g != 0.0), "a gradient of zeros holds against anything");
    }
}

/// Checks values to a few units in the last place.
#[track_caller]
pub fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{found:?} is not {expected:?}");
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 2e-6 * (1.0 + b.abs()));
    assert!(near, "{found:?} is not {expected:?}");
}
