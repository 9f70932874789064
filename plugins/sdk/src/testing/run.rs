use super::host::told;
use super::{Gradients, Trial, Values};
use crate::random::Stream;
use crate::{Error, Layer, Shape};
use runner_plugin_abi as abi;
use std::ptr::null_mut;

/// A forward pass, and all that backward needs of it.
pub(super) struct Run<'a, L: Layer> {
    trial: &'a Trial<L>,
    batch: usize,
    keys: Vec<u64>,
    inputs: Vec<Values>,
    parameters: Vec<Values>,
    pub(super) output: Values,
    scratch: Vec<u64>,
}

impl<'a, L: Layer> Run<'a, L> {
    /// Computes the output, which holds NaN before.
    pub(super) fn new(trial: &'a Trial<L>, inputs: &[Values], parameters: &[Values]) -> Result<Self, Error> {
        let shapes: Vec<Shape> = inputs.iter().map(Values::sample).collect::<Result<_, _>>()?;
        let batch = inputs.first().and_then(|input| input.shape.dims().first()).copied().unwrap_or_default();
        let sample = trial.output_shape(&shapes)?;
        let shape = Shape::new(&[&[batch], sample.dims()].concat())?;
        let words = trial.scratch_bytes(&shapes, batch)?.div_ceil(8);
        let mut keys = Stream::new(trial.key.unwrap_or_default());
        let mut run = Run {
            trial,
            batch,
            keys: (0..batch).map(|_| u64::from(keys.number()) << 32 | u64::from(keys.number())).collect(),
            inputs: inputs.to_vec(),
            parameters: parameters.to_vec(),
            output: Values { shape, values: vec![f32::NAN; shape.count()] },
            scratch: vec![0; words],
        };
        run.forward()?;
        Ok(run)
    }

    fn mode(&self) -> i32 {
        if self.trial.key.is_some() { abi::TRAINING } else { abi::EVALUATION }
    }

    fn forward(&mut self) -> Result<(), Error> {
        let forward = self.trial.table.table.forward.ok_or("there is no forward")?;
        let mode = self.mode();
        let (inputs, parameters) = (Tensors::of(&mut self.inputs), Tensors::of(&mut self.parameters));
        let output = Tensors::of(std::slice::from_mut(&mut self.output));
        let call = abi::Forward {
            size: size_of::<abi::Forward>(),
            mode,
            backward_follows: 1,
            batch: self.batch as i64,
            keys: self.keys.as_ptr(),
            inputs: inputs.list().cast(),
            input_count: inputs.count(),
            parameters: parameters.list().cast(),
            parameter_count: parameters.count(),
            output: output.first(),
            scratch: self.scratch.as_mut_ptr().cast(),
            scratch_bytes: 8 * self.scratch.len(),
            stream: std::ptr::null_mut(),
        };
        // SAFETY: all is given as the header says, and lives as long as the call.
        told(|sink| unsafe { forward(self.trial.instance, &raw const call, sink) })
    }

    /// The gradients that are wanted, inputs counted before parameters, and what they hold at first
    /// taken off again.
    pub(super) fn backward(
        &mut self,
        output_gradient: &[f32],
        before: f32,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Gradients, Error> {
        let backward = self.trial.table.table.backward.ok_or("there is no backward")?;
        let (mode, flags) = (self.mode(), self.trial.table.table.flags);
        let mut output_gradient = [Values::new(self.output.shape, output_gradient.to_vec())];
        let filled = |of: &Values| Values { shape: of.shape, values: vec![before; of.values.len()] };
        let mut input_gradients: Vec<Values> = self.inputs.iter().map(filled).collect();
        let mut parameter_gradients: Vec<Values> = self.parameters.iter().map(filled).collect();
        let inputs = Tensors::of(&mut self.inputs).without_values(flags & abi::LAYER_FORGETS_INPUTS != 0);
        let parameters = Tensors::of(&mut self.parameters);
        let output = std::slice::from_mut(&mut self.output);
        let output = Tensors::of(output).without_values(flags & abi::LAYER_FORGETS_OUTPUT != 0);
        let output_gradient = Tensors::of(&mut output_gradient);
        let for_inputs = Tensors::of(&mut input_gradients).only(&wanted);
        let for_parameters = Tensors::of(&mut parameter_gradients).only(|i| wanted(inputs.count() + i));
        let call = abi::Backward {
            size: size_of::<abi::Backward>(),
            mode,
            reserved: 0,
            batch: self.batch as i64,
            keys: self.keys.as_ptr(),
            inputs: inputs.list().cast(),
            input_count: inputs.count(),
            parameters: parameters.list().cast(),
            parameter_count: parameters.count(),
            output: output.first(),
            output_gradient: output_gradient.first(),
            input_gradients: for_inputs.list(),
            parameter_gradients: for_parameters.list(),
            scratch: self.scratch.as_mut_ptr().cast(),
            scratch_bytes: 8 * self.scratch.len(),
            stream: std::ptr::null_mut(),
        };
        // SAFETY: all is given as the header says, and lives as long as the call.
        told(|sink| unsafe { backward(self.trial.instance, &raw const call, sink) })?;
        let added = |gradient: Values| gradient.map(|x| x - before).values;
        let inputs = input_gradients.into_iter().enumerate().map(|(i, of)| wanted(i).then(|| added(of)));
        let count = self.inputs.len();
        let parameters = parameter_gradients.into_iter().enumerate();
        let parameters = parameters.map(|(i, of)| wanted(count + i).then(|| added(of)));
        Ok(Gradients { inputs: inputs.collect(), parameters: parameters.collect() })
    }
}

/// Tensors as the header describes them, and what they point to.
struct Tensors<'a> {
    pointers: Vec<*mut abi::DlTensor>,
    /// Behind `pointers`.
    all: Box<[abi::DlTensor]>,
    /// Behind `all`.
    _shapes: Vec<Box<[i64]>>,
    values: std::marker::PhantomData<&'a mut [f32]>,
}

impl<'a> Tensors<'a> {
    fn of(values: &'a mut [Values]) -> Self {
        let dims = |values: &Values| values.shape.dims().iter().map(|dim| *dim as i64).collect();
        let mut shapes: Vec<Box<[i64]>> = values.iter().map(dims).collect();
        let mut tensors: Box<[abi::DlTensor]> = values.iter_mut().zip(&mut shapes).map(tensor).collect();
        let pointers = tensors.iter_mut().map(std::ptr::from_mut).collect();
        Tensors { pointers, all: tensors, _shapes: shapes, values: std::marker::PhantomData }
    }

    /// The same without values, if so.
    fn without_values(mut self, so: bool) -> Self {
        if so {
            self.all.iter_mut().for_each(|tensor| tensor.data = null_mut());
            self.pointers = self.all.iter_mut().map(std::ptr::from_mut).collect();
        }
        self
    }

    /// The same with null for those that are not wanted.
    fn only(mut self, wanted: impl Fn(usize) -> bool) -> Self {
        let unwanted = self.pointers.iter_mut().enumerate().filter(|(i, _)| !wanted(*i));
        unwanted.for_each(|(_, pointer)| *pointer = null_mut());
        self
    }

    fn count(&self) -> usize {
        self.pointers.len()
    }

    fn list(&self) -> *const *mut abi::DlTensor {
        self.pointers.as_ptr()
    }

    fn first(&self) -> *mut abi::DlTensor {
        self.pointers.first().copied().unwrap_or(null_mut())
    }
}

fn tensor((values, dims): (&mut Values, &mut Box<[i64]>)) -> abi::DlTensor {
    abi::DlTensor {
        data: values.values.as_mut_ptr().cast(),
        device: abi::DlDevice { device_type: abi::DL_CPU, device_id: 0 },
        ndim: dims.len() as i32,
        dtype: abi::DlDataType { code: abi::DL_FLOAT, bits: 32, lanes: 1 },
        shape: dims.as_mut_ptr(),
        strides: null_mut(),
        byte_offset: 0,
    }
}
