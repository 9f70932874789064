use crate::random::Random;
use crate::tensor::{Raw, begun, slice};
use crate::{Error, Layer, Scratch, Shape, Tensor};
use runner_plugin_abi as abi;

/// One forward pass over a batch. All values lie sample after sample; images are (N, H, W, C).
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a> {
    /// Whether this is training, in which random layers act.
    pub training: bool,
    /// Whether backward may follow. If not, the scratch need not be written.
    pub backward_follows: bool,
    /// The samples of the batch.
    pub batch: usize,
    /// The inputs.
    pub inputs: Vec<Tensor<'a>>,
    /// The parameters, in the order in which the layer listed them.
    pub parameters: Vec<Tensor<'a>>,
    /// Random numbers, by sample.
    pub random: Random<'a>,
    /// All of its values are to be written; what it holds before is undefined.
    pub output: &'a mut [f32],
    /// The shape of the output for one sample.
    pub output_shape: Shape,
    /// What forward leaves for backward.
    pub scratch: Scratch<'a>,
}

/// The way back over the same batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Backward<'a> {
    /// As in forward.
    pub training: bool,
    /// As in forward.
    pub batch: usize,
    /// As in forward; without values if the layer has `FORGETS_INPUTS`.
    pub inputs: Vec<Tensor<'a>>,
    /// As in forward.
    pub parameters: Vec<Tensor<'a>>,
    /// As in forward: the same numbers again.
    pub random: Random<'a>,
    /// As forward left it; without values if the layer has `FORGETS_OUTPUT`.
    pub output: Tensor<'a>,
    /// The loss's gradient for each value of the output.
    pub output_gradient: &'a [f32],
    /// By input: where to add its gradient, if one is wanted.
    pub input_gradients: Vec<Option<&'a mut [f32]>>,
    /// By parameter: where to add its gradient, if one is wanted.
    pub parameter_gradients: Vec<Option<&'a mut [f32]>>,
    /// As forward left it.
    pub scratch: Scratch<'a>,
}

impl Forward<'_> {
    /// Reads the host's call, and holds it against what the layer says.
    ///
    /// # Safety
    /// `call` is null or as the header says; nobody else touches the output and the scratch, and
    /// nobody changes the rest, while the pass lives.
    pub(crate) unsafe fn read<L: Layer>(layer: &L, call: *const abi::Forward) -> Result<Self, Error> {
        // SAFETY: here and below, as the caller promises.
        let call = unsafe { begun(call, "forward call", abi::Forward::LEAST) }?;
        let batch = rows(call.batch)?;
        // SAFETY: as above.
        let inputs = unsafe { tensors(call.inputs, call.input_count, "input", Some(batch)) }?;
        // SAFETY: as above.
        let parameters = unsafe { tensors(call.parameters, call.parameter_count, "parameter", None) }?;
        kept(&inputs, "input")?;
        let shapes: Vec<Shape> = inputs.iter().map(Tensor::shape).collect();
        let output_shape = fitting(layer, &shapes, &parameters)?;
        // SAFETY: as above.
        let output = unsafe { writable(call.output, "output", Some(batch), output_shape) }?;
        Ok(Forward {
            training: training(call.mode)?,
            backward_follows: call.backward_follows != 0,
            batch,
            // SAFETY: as above.
            scratch: unsafe { scratch(layer, &shapes, batch, call.scratch, call.scratch_bytes) }?,
            inputs,
            parameters,
            // SAFETY: as above.
            random: unsafe { random(call.keys, batch) },
            output,
            output_shape,
        })
    }
}

impl Backward<'_> {
    /// Reads the host's call, and holds it against what the layer says.
    ///
    /// # Safety
    /// `call` is null or as the header says; nobody else touches the gradients to add to and the
    /// scratch, and nobody changes the rest, while the pass lives.
    pub(crate) unsafe fn read<L: Layer>(layer: &L, call: *const abi::Backward) -> Result<Self, Error> {
        // SAFETY: here and below, as the caller promises.
        let call = unsafe { begun(call, "backward call", abi::Backward::LEAST) }?;
        let batch = rows(call.batch)?;
        // SAFETY: as above.
        let mut inputs = unsafe { tensors(call.inputs, call.input_count, "input", Some(batch)) }?;
        // SAFETY: as above.
        let parameters = unsafe { tensors(call.parameters, call.parameter_count, "parameter", None) }?;
        let shapes: Vec<Shape> = inputs.iter().map(Tensor::shape).collect();
        let output_shape = fitting(layer, &shapes, &parameters)?;
        // SAFETY: as above.
        let mut output = unsafe { tensor(call.output, "output", Some(batch)) }?;
        // SAFETY: as above.
        let output_gradient = unsafe { tensor(call.output_gradient, "output gradient", Some(batch)) }?;
        for (what, tensor) in [("output", &output), ("output gradient", &output_gradient)] {
            same(what, tensor.shape, output_shape)?;
        }
        if L::FORGETS_INPUTS {
            for input in &mut inputs {
                input.values = None;
            }
        } else {
            kept(&inputs, "input")?;
        }
        if L::FORGETS_OUTPUT {
            output.values = None;
        } else if output.values.is_none() {
            return Err("output has no values".into());
        }
        Ok(Backward {
            training: training(call.mode)?,
            batch,
            // SAFETY: as above.
            input_gradients: unsafe { gradients(call.input_gradients, &inputs, "gradient of input", Some(batch)) }?,
            // SAFETY: as above.
            parameter_gradients: unsafe {
                gradients(call.parameter_gradients, &parameters, "gradient of parameter", None)
            }?,
            // SAFETY: as above.
            scratch: unsafe { scratch(layer, &shapes, batch, call.scratch, call.scratch_bytes) }?,
            inputs,
            parameters,
            // SAFETY: as above.
            random: unsafe { random(call.keys, batch) },
            output,
            output_gradient: output_gradient.values.ok_or("the output gradient has no values")?,
        })
    }
}

/// The output's shape, if inputs and parameters are those that the layer asked for.
fn fitting<L: Layer>(layer: &L, inputs: &[Shape], parameters: &[Tensor<'_>]) -> Result<Shape, Error> {
    let output = output_shape(layer, inputs)?;
    let listed = if L::PARAMETERS { layer.parameters(inputs) } else { Vec::new() };
    if listed.len() != parameters.len() {
        return Err(format!("the runner gave {} parameters for {}", parameters.len(), listed.len()).into());
    }
    for (listed, given) in listed.iter().zip(parameters) {
        same(&format!("parameter {}", listed.name), given.shape, listed.shape)?;
    }
    kept(parameters, "parameter")?;
    Ok(output)
}

/// The output's shape, if the layer takes so many inputs.
pub(crate) fn output_shape<L: Layer>(layer: &L, inputs: &[Shape]) -> Result<Shape, Error> {
    if !L::INPUTS.contains(&inputs.len()) {
        let (least, most) = (L::INPUTS.start(), L::INPUTS.end());
        return Err(format!("{} inputs were given to a layer that takes {least} to {most}", inputs.len()).into());
    }
    layer.output_shape(inputs)
}

fn same(what: &str, given: Shape, expected: Shape) -> Result<(), Error> {
    if given == expected { Ok(()) } else { Err(format!("{what} is {given}, not {expected}").into()) }
}

fn kept(tensors: &[Tensor<'_>], what: &str) -> Result<(), Error> {
    let missing = tensors.iter().position(|tensor| tensor.values.is_none());
    missing.map_or(Ok(()), |i| Err(format!("{what} {i} has no values").into()))
}

fn rows(batch: i64) -> Result<usize, Error> {
    usize::try_from(batch).map_err(|_| format!("the runner gave a batch of {batch}").into())
}

fn training(mode: i32) -> Result<bool, Error> {
    match mode {
        abi::TRAINING => Ok(true),
        abi::EVALUATION => Ok(false),
        _ => Err(format!("the runner gave a mode of {mode}").into()),
    }
}

/// # Safety
/// As for the pass.
unsafe fn random<'a>(keys: *const u64, batch: usize) -> Random<'a> {
    // SAFETY: as the caller promises.
    Random { keys: unsafe { slice(keys, batch) }.unwrap_or_default() }
}

/// # Safety
/// As for the pass.
unsafe fn scratch<'a, L: Layer>(
    layer: &L,
    inputs: &[Shape],
    batch: usize,
    memory: *mut std::ffi::c_void,
    bytes: usize,
) -> Result<Scratch<'a>, Error> {
    let needed = layer.scratch_bytes(inputs, batch);
    if bytes < needed {
        return Err(format!("the runner gave {bytes} bytes of scratch, fewer than {needed}").into());
    }
    if needed == 0 {
        return Ok(Scratch { bytes: &mut [] });
    }
    if memory.is_null() || !memory.cast::<u64>().is_aligned() {
        return Err("the runner gave scratch that is null or misaligned".into());
    }
    // SAFETY: not null, and as large as the caller promises.
    Ok(Scratch { bytes: unsafe { std::slice::from_raw_parts_mut(memory.cast(), needed) } })
}

/// # Safety
/// As for the pass.
unsafe fn tensor<'a>(tensor: *const abi::DlTensor, what: &str, batch: Option<usize>) -> Result<Tensor<'a>, Error> {
    let read = || {
        // SAFETY: as the caller promises.
        let raw = unsafe { Raw::read(tensor) }?;
        let shape = batch.map_or_else(|| raw.shape(), |batch| raw.sample(batch))?;
        // SAFETY: as the caller promises.
        Ok(Tensor { shape, values: unsafe { raw.values() } })
    };
    read().map_err(|error: Error| format!("{what} {error}").into())
}

/// # Safety
/// As for the pass.
unsafe fn tensors<'a>(
    list: *const *const abi::DlTensor,
    count: usize,
    what: &str,
    batch: Option<usize>,
) -> Result<Vec<Tensor<'a>>, Error> {
    // SAFETY: as the caller promises.
    let list = unsafe { slice(list, count) }.ok_or_else(|| format!("the runner gave no {what}s"))?;
    // SAFETY: as the caller promises.
    let read =
        |(i, pointer): (usize, &*const abi::DlTensor)| unsafe { tensor(*pointer, &format!("{what} {i}"), batch) };
    list.iter().enumerate().map(read).collect()
}

/// Values of the expected shape, to be changed.
///
/// # Safety
/// As for the pass.
unsafe fn writable<'a>(
    tensor: *const abi::DlTensor,
    what: &str,
    batch: Option<usize>,
    expected: Shape,
) -> Result<&'a mut [f32], Error> {
    // SAFETY: as the caller promises.
    let raw = unsafe { Raw::read(tensor) }.map_err(|error| format!("{what} {error}"))?;
    let shape = batch.map_or_else(|| raw.shape(), |batch| raw.sample(batch));
    same(what, shape.map_err(|error| format!("{what} {error}"))?, expected)?;
    // SAFETY: as the caller promises.
    unsafe { raw.values_mut() }.ok_or_else(|| format!("{what} has no memory").into())
}

/// The gradients that are wanted of these tensors.
///
/// # Safety
/// As for the pass.
unsafe fn gradients<'a>(
    list: *const *mut abi::DlTensor,
    of: &[Tensor<'_>],
    what: &str,
    batch: Option<usize>,
) -> Result<Vec<Option<&'a mut [f32]>>, Error> {
    // SAFETY: as the caller promises.
    let list = unsafe { slice(list, of.len()) }.ok_or_else(|| format!("the runner gave no list of each {what}"))?;
    let read = |(i, (pointer, of)): (usize, (&*mut abi::DlTensor, &Tensor<'_>))| {
        let wanted = !pointer.is_null();
        // SAFETY: as the caller promises.
        wanted.then(|| unsafe { writable(*pointer, &format!("{what} {i}"), batch, of.shape) }).transpose()
    };
    list.iter().zip(of).enumerate().map(read).collect()
}
