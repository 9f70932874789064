use crate::{Backward, Error, Forward, Parameter, Shape};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;

/// A kind of layer; its values are the layers of pipelines.
///
/// Several threads may use one layer at once: it has no state beyond its arguments. What forward
/// leaves for backward goes into the scratch, what is learned into parameters, both of which the
/// runner owns.
pub trait Layer: Sized + Send + Sync + 'static {
    /// As pipelines write it: small letters, digits and `_`.
    const NAME: &'static str;
    /// What it does, for a person: one line, then whatever more.
    const DOCUMENTATION: &'static str;
    /// The fewest and the most inputs that it takes.
    const INPUTS: RangeInclusive<usize> = 1..=1;
    /// Whether it has parameters.
    const PARAMETERS: bool = false;
    /// Whether it differs between training and evaluation.
    const MODES: bool = false;
    /// Whether it draws random numbers (and so differs between training and evaluation).
    const RANDOM: bool = false;
    /// Whether backward reads no values of the inputs: the runner need not keep them.
    const FORGETS_INPUTS: bool = false;
    /// Whether backward reads no values of the output: the runner need not keep it.
    const FORGETS_OUTPUT: bool = false;

    /// What a pipeline gives. Its doc comments are shown to users, and its JSON Schema checks their
    /// pipelines: put `#[serde(deny_unknown_fields)]` on it so that misspelt keys are found. Without
    /// arguments: [`NoArguments`].
    type Arguments: DeserializeOwned + JsonSchema;

    /// Arguments to try the layer with: `runner plugin check` makes a layer of each.
    fn examples() -> Vec<serde_json::Value> {
        Vec::new()
    }

    /// Makes a layer, or says what is wrong with the arguments.
    fn new(arguments: Self::Arguments) -> Result<Self, Error>;

    /// The shape of the output for one sample, or why these inputs do not fit.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error>;

    /// The parameters over inputs of these shapes; none unless [`Layer::PARAMETERS`].
    fn parameters(&self, inputs: &[Shape]) -> Vec<Parameter> {
        let _ = inputs;
        Vec::new()
    }

    /// Bytes that forward leaves for backward, over a batch of `batch` samples.
    fn scratch_bytes(&self, inputs: &[Shape], batch: usize) -> usize {
        let _ = (inputs, batch);
        0
    }

    /// Multiply-adds for one sample, shown in the plan.
    fn multiply_adds(&self, inputs: &[Shape]) -> u64 {
        let _ = inputs;
        0
    }

    /// Computes the output: every value of it, from nothing that it held before.
    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error>;

    /// Adds to the gradients that are wanted.
    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error>;
}

/// The arguments of a layer that has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}
