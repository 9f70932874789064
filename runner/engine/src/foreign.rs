//! Operations whose code lies outside of the engine: the layers of plugins.

mod gpu;

use super::{EngineError, Kernels, Result, Tape, Tensor, gradients};
use std::sync::Arc;

pub use gpu::{ForeignOnGpu, GpuBackward, GpuForward, GpuTensor, Workplace};

/// A tensor in memory of the host, to be read.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The shape.
    pub dims: &'a [usize],
    /// The values; `None` where they were not kept.
    pub values: Option<&'a [f32]>,
}

/// A tensor in memory of the host, to be written.
#[derive(Debug)]
pub struct ViewMut<'a> {
    /// The shape.
    pub dims: &'a [usize],
    /// The values.
    pub values: &'a mut [f32],
}

/// What a foreign operation is given on the way forward.
#[derive(Debug)]
pub struct ForeignForward<'a> {
    /// The inputs.
    pub inputs: Vec<View<'a>>,
    /// The parameters.
    pub params: Vec<View<'a>>,
    /// Where all values are to be written.
    pub output: ViewMut<'a>,
    /// Memory that is kept for backward, zeroed.
    pub scratch: &'a mut [u64],
    /// Whether backward may follow.
    pub recorded: bool,
}

/// What a foreign operation is given on the way back.
#[derive(Debug)]
pub struct ForeignBackward<'a> {
    /// The inputs, without values if they need not be kept.
    pub inputs: Vec<View<'a>>,
    /// The parameters.
    pub params: Vec<View<'a>>,
    /// The output, without values if it need not be kept.
    pub output: View<'a>,
    /// The gradient of the output.
    pub output_gradient: View<'a>,
    /// By input: where to add its gradient, if one is wanted.
    pub input_gradients: Vec<Option<ViewMut<'a>>>,
    /// By parameter: where to add its gradient, if one is wanted.
    pub param_gradients: Vec<Option<ViewMut<'a>>>,
    /// As forward left it.
    pub scratch: &'a mut [u64],
}

/// One use of a foreign operation, over one batch.
pub trait Foreign: Send + Sync {
    /// Computes the output.
    fn forward(&self, call: ForeignForward<'_>) -> Result<()>;

    /// Adds to the gradients that are wanted.
    fn backward(&self, call: ForeignBackward<'_>) -> Result<()>;

    /// Words of scratch.
    fn scratch_words(&self) -> usize {
        0
    }

    /// Whether backward reads the inputs' values.
    fn keeps_inputs(&self) -> bool {
        true
    }

    /// Whether backward reads the output's values.
    fn keeps_output(&self) -> bool {
        true
    }

    /// The operation on memory of a GPU, if it works there too. Without, what it is given is copied to the host.
    fn on_gpu(&self) -> Option<&dyn ForeignOnGpu> {
        None
    }
}

/// What is kept of a tensor for the way back.
pub(crate) struct Held<D: Kernels> {
    pub dims: Vec<usize>,
    pub tensor: Option<Tensor<D>>,
}

impl<D: Kernels> Held<D> {
    pub fn new(tensor: &Tensor<D>, kept: bool) -> Self {
        Held { dims: tensor.dims().to_vec(), tensor: kept.then(|| tensor.clone()) }
    }
}

/// Zeroed memory for an operation. How much is not the engine's to say, so there may not be that much.
pub(crate) fn scratch(operation: &dyn Foreign) -> Result<Vec<u64>> {
    let words = operation.scratch_words();
    let mut scratch = Vec::new();
    scratch.try_reserve_exact(words).map_err(|_| {
        EngineError::Foreign(format!("there is no memory for {} bytes of scratch", words.saturating_mul(8)))
    })?;
    scratch.resize(words, 0);
    Ok(scratch)
}

/// Where the gradient of one tensor is, for an operation that sees copies in the host's memory.
pub(crate) trait HostGradient<D: Kernels>: Sized + 'static {
    /// That of an operand.
    fn of(operand: &Tensor<D>) -> Self;

    /// The result of a recorded operation, and the place of its gradient.
    fn recorded(y: Tensor<D>) -> (Tensor<D>, Self);

    /// Copies the gradient of a result to the host.
    fn read(&self, flow: &mut Flow<D>) -> Result<Vec<f32>>;

    /// Adds values of the host.
    fn add(&self, flow: &mut Flow<D>, values: Vec<f32>) -> Result<()>;
}

/// The gradients of a backward pass that is under way.
type Flow<D> = dfdx::prelude::Gradients<f32, D>;

/// The gradient that dfdx's store has for a tensor.
pub(crate) struct Stored<D: Kernels>(Tensor<D>);

impl<D: Kernels> HostGradient<D> for Stored<D> {
    fn of(operand: &Tensor<D>) -> Self {
        Stored(operand.clone())
    }

    fn recorded(y: Tensor<D>) -> (Tensor<D>, Self) {
        let stored = Stored(y.clone());
        (y.wanting_grad(true), stored)
    }

    fn read(&self, flow: &mut Flow<D>) -> Result<Vec<f32>> {
        gradients::read(flow, &self.0)?.read()
    }

    fn add(&self, flow: &mut Flow<D>, values: Vec<f32>) -> Result<()> {
        gradients::add(flow, &self.0, values)
    }
}

/// Runs a foreign operation on any device: operands are copied to the host, results back.
///
/// An error on the way back is kept by the tape, which tells it when it has been run.
pub(crate) fn through_host<D: Kernels, G: HostGradient<D>>(
    tape: &mut Tape<D>,
    operation: Arc<dyn Foreign>,
    inputs: &[Tensor<D>],
    params: &[Tensor<D>],
    output: &[usize],
) -> Result<Tensor<D>> {
    let operands: Vec<&Tensor<D>> = inputs.iter().chain(params).collect();
    let Some(device) = operands.first().map(|first| first.device().clone()) else {
        return Err(EngineError::Foreign("an operation without operands".into()));
    };
    let recorded = tape.records(&operands);
    let mut scratch = scratch(operation.as_ref())?;
    let mut values = vec![0.0; output.iter().product()];
    {
        let copies = copies(inputs.iter().chain(params).map(Some))?;
        let views: Vec<View<'_>> = views(inputs.iter().chain(params).map(Tensor::dims), &copies);
        let (of_inputs, of_params) = views.split_at(inputs.len());
        operation.forward(ForeignForward {
            inputs: of_inputs.to_vec(),
            params: of_params.to_vec(),
            output: ViewMut { dims: output, values: &mut values },
            scratch: &mut scratch,
            recorded,
        })?;
    }
    let y = Tensor::from_vec(&device, values, output)?;
    if !recorded {
        return Ok(y);
    }
    let target = |operand: &Tensor<D>| (operand.wants_grad().then(|| G::of(operand)), operand.dims().to_vec());
    let (y, of_output) = G::recorded(y);
    let way_back = WayBack {
        inputs: inputs.iter().map(|input| Held::new(input, operation.keeps_inputs())).collect(),
        params: params.to_vec(),
        of_operands: inputs.iter().chain(params).map(target).collect(),
        output: Held::new(&y, operation.keeps_output()),
        of_output,
        scratch,
        operation,
    };
    let fault = tape.fault();
    tape.push(move |flow| {
        fault.note(way_back.run(flow));
        Ok(())
    });
    Ok(y)
}

struct WayBack<D: Kernels, G> {
    operation: Arc<dyn Foreign>,
    inputs: Vec<Held<D>>,
    params: Vec<Tensor<D>>,
    output: Held<D>,
    of_output: G,
    /// By input, then by parameter: where its gradient goes, if one is wanted, and its shape.
    of_operands: Vec<(Option<G>, Vec<usize>)>,
    scratch: Vec<u64>,
}

impl<D: Kernels, G: HostGradient<D>> WayBack<D, G> {
    fn run(mut self, flow: &mut Flow<D>) -> Result<()> {
        let held = copies(self.inputs.iter().map(|held| held.tensor.as_ref()).chain(self.params.iter().map(Some)))?;
        let dims = self.inputs.iter().map(|held| &held.dims[..]).chain(self.params.iter().map(Tensor::dims));
        let views: Vec<View<'_>> = views(dims, &held);
        let (of_inputs, of_params) = views.split_at(self.inputs.len());
        let output = self.output.tensor.as_ref().map(Tensor::read).transpose()?;
        let gradient = self.of_output.read(flow)?;
        let zeros = |(of, dims): &(Option<G>, Vec<usize>)| of.as_ref().map(|_| vec![0.0; dims.iter().product()]);
        let mut sums: Vec<Option<Vec<f32>>> = self.of_operands.iter().map(zeros).collect();
        let mut slots = self.of_operands.iter().zip(&mut sums).map(|((_, dims), sums)| {
            let values = sums.as_mut()?;
            Some(ViewMut { dims, values })
        });
        let input_gradients = slots.by_ref().take(self.inputs.len()).collect();
        let param_gradients = slots.collect();
        self.operation.backward(ForeignBackward {
            inputs: of_inputs.to_vec(),
            params: of_params.to_vec(),
            output: View { dims: &self.output.dims, values: output.as_deref() },
            output_gradient: View { dims: &self.output.dims, values: Some(&gradient) },
            input_gradients,
            param_gradients,
            scratch: &mut self.scratch,
        })?;
        for ((of, _), sums) in self.of_operands.iter().zip(sums) {
            if let (Some(of), Some(sums)) = (of, sums) {
                of.add(flow, sums)?;
            }
        }
        Ok(())
    }
}

fn copies<'a, D: Kernels>(tensors: impl Iterator<Item = Option<&'a Tensor<D>>>) -> Result<Vec<Option<Vec<f32>>>> {
    tensors.map(|tensor| tensor.map(Tensor::read).transpose()).collect()
}

fn views<'a>(dims: impl Iterator<Item = &'a [usize]>, values: &'a [Option<Vec<f32>>]) -> Vec<View<'a>> {
    dims.zip(values).map(|(dims, values)| View { dims, values: values.as_deref() }).collect()
}
