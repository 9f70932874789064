//! Runs a layer in a unit test, without a runner, through the C interface as a runner would.
//!
//! ```
//! # use runner_plugin::{testing::{Trial, Values}, *};
//! # struct Double;
//! # impl Layer for Double {
//! #     const NAME: &'static str = "double";
//! #     const DOCUMENTATION: &'static str = "Doubles.";
//! #     type Arguments = NoArguments;
//! #     fn new(_: NoArguments) -> Result<Self, Error> { Ok(Double) }
//! #     fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> { Ok(inputs[0]) }
//! #     fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
//! #         pass.output.iter_mut().zip(pass.inputs[0].values()).for_each(|(y, x)| *y = 2.0 * x);
//! #         Ok(())
//! #     }
//! #     fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
//! #         let Some(dx) = &mut pass.input_gradients[0] else { return Ok(()) };
//! #         dx.iter_mut().zip(pass.output_gradient).for_each(|(dx, dy)| *dx += 2.0 * dy);
//! #         Ok(())
//! #     }
//! # }
//! let trial = Trial::<Double>::new(serde_json::json!({}))?;
//! let x = Values::new([2, 1], vec![1.0, 2.0]);
//! assert_eq!(trial.forward(&[x.clone()], &[])?, [2.0, 4.0]);
//! trial.check_gradients(&[x], &[]);
//! # Ok::<(), runner_plugin::Error>(())
//! ```

mod host;
mod run;

use crate::export::LayerTable;
use crate::finite::{agrees, derivative};
use crate::random::Stream;
use crate::{Error, Init, Layer, Parameter, Shape};
use host::{HOST, told, with_shapes};
use run::Run;
use serde_json::Value;
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;

/// A tensor of a test: an input or a gradient with the batch as its first dimension, or a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Its dimensions.
    pub shape: Shape,
    /// Its values, the last dimension innermost.
    pub values: Vec<f32>,
}

impl Values {
    /// These values in this shape.
    ///
    /// # Panics
    /// If they are not as many as the shape says.
    pub fn new(shape: impl Into<Shape>, values: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.count(), values.len(), "the number of values of {shape}");
        Values { shape, values }
    }

    /// Random values, uniform in [-1, 1), the same for the same seed.
    pub fn random(shape: impl Into<Shape>, seed: u64) -> Self {
        Self::drawn(shape.into(), seed, |stream| 2.0 * stream.uniform() - 1.0)
    }

    /// The same in another range.
    #[must_use]
    pub fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        self.values.iter_mut().for_each(|value| *value = f(*value));
        self
    }

    fn drawn(shape: Shape, seed: u64, mut draw: impl FnMut(&mut Stream) -> f32) -> Self {
        let mut stream = Stream::new(seed);
        Values { shape, values: (0..shape.count()).map(|_| draw(&mut stream)).collect() }
    }

    /// The shape without its first dimension, the batch.
    fn sample(&self) -> Result<Shape, Error> {
        Shape::new(self.shape.dims().get(1..).ok_or("an input has no batch")?)
    }
}

/// What backward gives: all gradients that were wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// By input.
    pub inputs: Vec<Option<Vec<f32>>>,
    /// By parameter.
    pub parameters: Vec<Option<Vec<f32>>>,
}

/// How many values [`Trial::check_gradients`] held against finite differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Those that agreed.
    pub compared: usize,
    /// Those near a kink, where there is no derivative.
    pub skipped: usize,
}

/// What gradients hold before backward adds to them.
const BEFORE: f32 = 0.25;

/// A layer on trial.
pub struct Trial<L: Layer> {
    table: LayerTable,
    instance: *mut c_void,
    key: Option<u64>,
    layer: PhantomData<L>,
}

impl<L: Layer> fmt::Debug for Trial<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").field("layer", &L::NAME).field("key", &self.key).finish_non_exhaustive()
    }
}

// SAFETY: the instance is an `L`, which is `Send`, and is only borrowed.
unsafe impl<L: Layer> Send for Trial<L> {}
// SAFETY: likewise, `Sync`.
unsafe impl<L: Layer> Sync for Trial<L> {}

impl<L: Layer> Trial<L> {
    /// A layer of these arguments, in evaluation.
    #[allow(clippy::needless_pass_by_value)] // So that `json!(..)` stands there as it is.
    pub fn new(arguments: Value) -> Result<Self, Error> {
        Self::of_json(&arguments.to_string())
    }

    /// A layer of arguments in JSON, in evaluation.
    pub fn of_json(arguments: &str) -> Result<Self, Error> {
        if !crate::host::keep(&HOST) {
            return Err("this program has another host already".into());
        }
        let table = LayerTable::of::<L>()?;
        let create = table.table.create.ok_or("there is no create")?;
        let mut instance = std::ptr::null_mut();
        // SAFETY: here and below, all is given as the header says, and lives as long as the call.
        told(|sink| unsafe { create(arguments.as_ptr().cast(), arguments.len(), &raw mut instance, sink) })?;
        Ok(Trial { table, instance, key: None, layer: PhantomData })
    }

    /// The same in training, its random numbers drawn by `key`.
    #[must_use]
    pub fn training(mut self, key: u64) -> Self {
        self.key = Some(key);
        self
    }

    /// The same in evaluation.
    #[must_use]
    pub fn evaluation(mut self) -> Self {
        self.key = None;
        self
    }

    /// The shape of the output for one sample, for inputs of these shapes.
    pub fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        let ask = self.table.table.output_shape.ok_or("there is no output_shape")?;
        let mut output = Shape::from([]).to_abi()?;
        with_shapes(inputs, |inputs, count| {
            // SAFETY: as in `of_json`.
            told(|sink| unsafe { ask(self.instance, inputs, count, &raw mut output, sink) })
        })?;
        // SAFETY: a shape of our own.
        unsafe { Shape::from_abi(&raw const output) }
    }

    /// The parameters over inputs of these shapes.
    pub fn parameters(&self, inputs: &[Shape]) -> Result<Vec<Parameter>, Error> {
        let ask = self.table.table.parameters.ok_or("there is no parameters")?;
        let mut listed: host::Listed = Ok(Vec::new());
        let list = (&raw mut listed).cast();
        with_shapes(inputs, |inputs, count| {
            // SAFETY: as in `of_json`.
            told(|sink| unsafe { ask(self.instance, inputs, count, list, sink) })
        })?;
        listed
    }

    /// First values of the parameters over these inputs, drawn by `seed`.
    pub fn initial(&self, inputs: &[Values], seed: u64) -> Result<Vec<Values>, Error> {
        let shapes: Vec<Shape> = inputs.iter().map(Values::sample).collect::<Result<_, _>>()?;
        let listed = self.parameters(&shapes)?;
        Ok((seed..).zip(&listed).map(|(seed, listed)| first_values(listed, seed)).collect())
    }

    /// Bytes of scratch for a batch over inputs of these shapes.
    pub fn scratch_bytes(&self, inputs: &[Shape], batch: usize) -> Result<usize, Error> {
        let batch = i64::try_from(batch).map_err(|_| "the batch is too large")?;
        let ask = self.table.table.scratch_bytes.ok_or("there is no scratch_bytes")?;
        // SAFETY: as in `of_json`.
        let bytes = with_shapes(inputs, |inputs, count| Ok(unsafe { ask(self.instance, inputs, count, batch) }))?;
        usize::try_from(bytes).map_err(|_| format!("{bytes} bytes of scratch are too many").into())
    }

    /// Multiply-adds for one sample over inputs of these shapes.
    pub fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64, Error> {
        let ask = self.table.table.multiply_adds.ok_or("there is no multiply_adds")?;
        // SAFETY: as in `of_json`.
        with_shapes(inputs, |inputs, count| Ok(unsafe { ask(self.instance, inputs, count) }))
    }

    /// The output over the batch. It holds NaN before, so what is not written shows.
    pub fn forward(&self, inputs: &[Values], parameters: &[Values]) -> Result<Vec<f32>, Error> {
        Ok(Run::new(self, inputs, parameters)?.output.values)
    }

    /// The gradients of all inputs and parameters, for this gradient of the output.
    pub fn backward(
        &self,
        inputs: &[Values],
        parameters: &[Values],
        output_gradient: &[f32],
    ) -> Result<Gradients, Error> {
        let mut run = Run::new(self, inputs, parameters)?;
        run.backward(output_gradient, 0.0, |_| true)
    }

    /// Holds every gradient against finite differences of a random sum of the outputs. Also: gradients
    /// are added to what is there, and one that is wanted alone is the same as among all.
    ///
    /// # Panics
    /// With input or parameter, index, expected and got, where a gradient is wrong; with the layer's
    /// message, where it fails; and if fewer than half of the values of a tensor could be compared.
    pub fn check_gradients(&self, inputs: &[Values], parameters: &[Values]) -> Checked {
        let fail = |error: Error| -> ! { panic!("{}: {error}", L::NAME) };
        let mut run = Run::new(self, inputs, parameters).unwrap_or_else(|error| fail(error));
        let sum = Values::random(run.output.shape, 0x5eed).values;
        let all = run.backward(&sum, BEFORE, |_| true).unwrap_or_else(|error| fail(error));
        let all: Vec<Vec<f32>> = all.inputs.into_iter().chain(all.parameters).flatten().collect();
        let mut checked = Checked { compared: 0, skipped: 0 };
        for (i, gradient) in all.iter().enumerate() {
            let name = if i < inputs.len() { format!("input {i}") } else { format!("parameter {}", i - inputs.len()) };
            let alone = run.backward(&sum, BEFORE, |wanted| wanted == i).unwrap_or_else(|error| fail(error));
            let alone = alone.inputs.into_iter().chain(alone.parameters).flatten().next();
            assert_eq!(alone.as_ref(), Some(gradient), "{}: the gradient of {name}, wanted alone", L::NAME);
            let tensor = self.check_gradient(&name, i, gradient, (inputs, parameters), &sum);
            checked.compared += tensor.compared;
            checked.skipped += tensor.skipped;
        }
        checked
    }

    fn check_gradient(
        &self,
        name: &str,
        which: usize,
        gradient: &[f32],
        at: (&[Values], &[Values]),
        sum: &[f32],
    ) -> Checked {
        let (mut inputs, mut parameters) = (at.0.to_vec(), at.1.to_vec());
        let count = inputs.len();
        let place = |inputs: &mut [Values], parameters: &mut [Values], values: &[f32]| {
            let tensor = if which < count { &mut inputs[which] } else { &mut parameters[which - count] };
            tensor.values.copy_from_slice(values);
        };
        let mut values = at.0.iter().chain(at.1).nth(which).map(|tensor| tensor.values.clone()).unwrap_or_default();
        let mut checked = Checked { compared: 0, skipped: 0 };
        for (index, got) in gradient.iter().enumerate() {
            let loss = |values: &[f32]| {
                place(&mut inputs, &mut parameters, values);
                let output = self.forward(&inputs, &parameters).unwrap_or_else(|error| panic!("{}: {error}", L::NAME));
                output.iter().zip(sum).map(|(y, weight)| f64::from(*y) * f64::from(*weight)).sum()
            };
            let Some(expected) = derivative(loss, &mut values, index) else {
                checked.skipped += 1;
                continue;
            };
            checked.compared += 1;
            let layer = L::NAME;
            let ok = agrees(expected, f64::from(*got));
            assert!(ok, "{layer}: gradient of {name} at {index}: expected {expected:.6}, got {got:.6}");
        }
        assert!(checked.compared >= checked.skipped, "{}: gradient of {name}: kinks nearly everywhere", L::NAME);
        checked
    }
}

impl<L: Layer> Drop for Trial<L> {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.table.destroy {
            // SAFETY: the layer made it, and nobody uses it any more.
            unsafe { destroy(self.instance) }
        }
    }
}

/// First values of a parameter. Weights are normal, with a variance of 1 over `fan_in`.
fn first_values(parameter: &Parameter, seed: u64) -> Values {
    let (mean, deviation) = match parameter.init {
        Init::Constant(value) => (value, 0.0),
        Init::Uniform(low, high) => {
            return Values::drawn(parameter.shape, seed, |stream| low + (high - low) * stream.uniform());
        }
        Init::Normal(mean, deviation) => (mean, deviation),
        Init::Weight { fan_in, .. } => (0.0, 1.0 / (fan_in as f32).sqrt()),
    };
    // Box and Muller.
    Values::drawn(parameter.shape, seed, |stream| {
        let (radius, angle) = ((-2.0 * (1.0 - stream.uniform()).ln()).sqrt(), stream.uniform());
        mean + deviation * radius * (std::f32::consts::TAU * angle).cos()
    })
}
