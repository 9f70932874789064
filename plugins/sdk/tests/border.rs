//! The C interface as a host sees it that makes mistakes: each is an error with a text.

use runner_plugin::abi;
use runner_plugin::{Backward, Error, Forward, Layer, NoArguments, Parameter, Shape};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

runner_plugin::export_layers!(Noisy, Plain);

/// y = x * weight + noise, with all that a call can have.
struct Noisy;

impl Layer for Noisy {
    const NAME: &'static str = "noisy";
    const DOCUMENTATION: &'static str = "Adds noise.";
    const PARAMETERS: bool = true;
    const RANDOM: bool = true;
    type Arguments = NoArguments;

    fn new(_: NoArguments) -> Result<Self, Error> {
        Ok(Noisy)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        Ok(inputs[0])
    }

    fn parameters(&self, inputs: &[Shape]) -> Vec<Parameter> {
        vec![Parameter::constant("weight", inputs[0], 1.0)]
    }

    fn scratch_bytes(&self, inputs: &[Shape], batch: usize) -> usize {
        batch * inputs[0].count() * 4
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        let width = pass.output_shape.count();
        for (row, y) in pass.output.chunks_mut(width).enumerate() {
            let mut stream = pass.random.row(row);
            for ((y, x), w) in y.iter_mut().zip(pass.inputs[0].row(row)).zip(pass.parameters[0].values()) {
                *y = x * w + stream.uniform();
            }
        }
        pass.scratch.numbers::<f32>().copy_from_slice(pass.output);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
        assert_eq!(pass.scratch.numbers::<f32>(), pass.output.values());
        if let Some(dx) = &mut pass.input_gradients[0] {
            dx.iter_mut().zip(pass.output_gradient).for_each(|(dx, dy)| *dx += dy);
        }
        Ok(())
    }
}

/// The least that a layer can be.
struct Plain;

impl Layer for Plain {
    const NAME: &'static str = "plain";
    const DOCUMENTATION: &'static str = "Does nothing.";
    const INPUTS: std::ops::RangeInclusive<usize> = 1..=3;
    const FORGETS_INPUTS: bool = true;
    type Arguments = NoArguments;

    fn new(_: NoArguments) -> Result<Self, Error> {
        Ok(Plain)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        Ok(inputs[0])
    }

    fn forward(&self, _: &mut Forward<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn backward(&self, _: &mut Backward<'_>) -> Result<(), Error> {
        Ok(())
    }
}

static HOST: abi::Host = abi::Host {
    size: size_of::<abi::Host>(),
    abi_major: abi::ABI_MAJOR,
    abi_minor: abi::ABI_MINOR + 7,
    version: c"test".as_ptr(),
    log,
    fail,
    add_parameter,
    parallel_for,
    json_number,
};

unsafe extern "C" fn log(_: i32, _: *const c_char, _: usize) {}

unsafe extern "C" fn fail(sink: *mut abi::Sink, text: *const c_char, length: usize) {
    let text = unsafe { std::slice::from_raw_parts(text.cast(), length) };
    unsafe { *sink.cast::<String>() = String::from_utf8(text.to_vec()).unwrap() };
}

unsafe extern "C" fn add_parameter(_: *mut abi::Parameters, _: *const abi::Parameter) {}

unsafe extern "C" fn parallel_for(count: usize, body: Option<abi::BodyFn>, context: *mut c_void) {
    (0..count).for_each(|i| unsafe { body.unwrap()(context, i) });
}

unsafe extern "C" fn json_number(_: *const c_char, _: usize, _: *const c_char, _: *mut f64) -> i32 {
    0
}

fn told(call: impl FnOnce(*mut abi::Sink) -> abi::Status) -> Result<(), String> {
    let mut text = String::new();
    match call((&raw mut text).cast()) {
        abi::OK => Ok(()),
        status => Err(format!("{status}: {text}")),
    }
}

fn table() -> &'static abi::Table {
    unsafe { runner_plugin(&raw const HOST).as_ref() }.unwrap()
}

fn layers() -> &'static [*const abi::Layer] {
    unsafe { std::slice::from_raw_parts(table().layers, table().layer_count) }
}

fn noisy() -> &'static abi::Layer {
    unsafe { &*layers()[0] }
}

fn instance() -> *mut c_void {
    let mut instance = null_mut();
    told(|sink| unsafe { noisy().create.unwrap()(c"{}".as_ptr(), 2, &raw mut instance, sink) }).unwrap();
    instance
}

/// Everything that a call over a batch of two samples of three features is made of.
struct Call {
    shape: [i64; 2],
    strides: [i64; 2],
    weight_shape: [i64; 1],
    values: [f32; 6],
    output: [f32; 6],
    gradient: [f32; 6],
    keys: [u64; 2],
    scratch: [u64; 3],
    input: abi::DlTensor,
    weight: abi::DlTensor,
    out: abi::DlTensor,
    out_gradient: abi::DlTensor,
    in_gradient: abi::DlTensor,
}

const NOTHING: abi::DlTensor = abi::DlTensor {
    data: null_mut(),
    device: abi::DlDevice { device_type: abi::DL_CPU, device_id: 0 },
    ndim: 2,
    dtype: abi::DlDataType { code: abi::DL_FLOAT, bits: 32, lanes: 1 },
    shape: null_mut(),
    strides: null_mut(),
    byte_offset: 0,
};

impl Call {
    fn new() -> Box<Self> {
        let mut call = Box::new(Call {
            shape: [2, 3],
            strides: [3, 1],
            weight_shape: [3],
            values: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            output: [f32::NAN; 6],
            gradient: [0.0; 6],
            keys: [1, 2],
            scratch: [0; 3],
            input: NOTHING,
            weight: NOTHING,
            out: NOTHING,
            out_gradient: NOTHING,
            in_gradient: NOTHING,
        });
        let (shape, weight_shape) = (&raw mut call.shape, &raw mut call.weight_shape);
        let (values, output, gradient) = (&raw mut call.values, &raw mut call.output, &raw mut call.gradient);
        let tensor = |data: *mut [f32; 6]| abi::DlTensor { data: data.cast(), shape: shape.cast(), ..NOTHING };
        call.input = tensor(values);
        call.weight = abi::DlTensor { ndim: 1, shape: weight_shape.cast(), ..tensor(values) };
        call.out = tensor(output);
        call.out_gradient = tensor(values);
        call.in_gradient = tensor(gradient);
        call
    }

    fn forward(&mut self, change: impl FnOnce(&mut abi::Forward)) -> Result<(), String> {
        let (inputs, parameters) = ([&raw const self.input], [&raw const self.weight]);
        let mut call = abi::Forward {
            size: size_of::<abi::Forward>() + 64,
            mode: abi::TRAINING,
            backward_follows: 1,
            batch: 2,
            keys: self.keys.as_ptr(),
            inputs: inputs.as_ptr(),
            input_count: 1,
            parameters: parameters.as_ptr(),
            parameter_count: 1,
            output: &raw mut self.out,
            scratch: self.scratch.as_mut_ptr().cast(),
            scratch_bytes: 24,
            stream: null_mut(),
        };
        change(&mut call);
        let instance = instance();
        let result = told(|sink| unsafe { noisy().forward.unwrap()(instance, &raw const call, sink) });
        unsafe { noisy().destroy.unwrap()(instance) };
        result
    }

    fn backward(&mut self, change: impl FnOnce(&mut abi::Backward)) -> Result<(), String> {
        let (inputs, parameters) = ([&raw const self.input], [&raw const self.weight]);
        let (input_gradients, parameter_gradients) = ([&raw mut self.in_gradient], [null_mut()]);
        let mut call = abi::Backward {
            size: size_of::<abi::Backward>(),
            mode: abi::TRAINING,
            reserved: 0,
            batch: 2,
            keys: self.keys.as_ptr(),
            inputs: inputs.as_ptr(),
            input_count: 1,
            parameters: parameters.as_ptr(),
            parameter_count: 1,
            output: &raw const self.out,
            output_gradient: &raw const self.out_gradient,
            input_gradients: input_gradients.as_ptr(),
            parameter_gradients: parameter_gradients.as_ptr(),
            scratch: self.scratch.as_mut_ptr().cast(),
            scratch_bytes: 24,
            stream: null_mut(),
        };
        change(&mut call);
        let instance = instance();
        let result = told(|sink| unsafe { noisy().backward.unwrap()(instance, &raw const call, sink) });
        unsafe { noisy().destroy.unwrap()(instance) };
        result
    }
}

/// What forward says when the call is changed so.
fn refused(change: impl FnOnce(&mut abi::Forward)) -> String {
    Call::new().forward(change).unwrap_err()
}

/// What forward says when the input is changed so.
fn refused_input(change: impl FnOnce(&mut Call)) -> String {
    let mut call = Call::new();
    change(&mut call);
    call.forward(|_| {}).unwrap_err()
}

#[test]
fn only_a_host_of_this_major_that_is_whole_gets_the_table() {
    let other = |host: abi::Host| unsafe { runner_plugin(Box::leak(Box::new(host))) };
    assert!(other(abi::Host { abi_major: abi::ABI_MAJOR + 1, ..HOST }).is_null());
    assert!(other(abi::Host { abi_major: 0, ..HOST }).is_null());
    assert!(other(abi::Host { size: size_of::<abi::Host>() - 1, ..HOST }).is_null());
    assert!(unsafe { runner_plugin(null()) }.is_null());
    assert!(std::ptr::eq(table(), table()), "made once");
    assert!(other(HOST).is_null(), "it works with another already");
}

#[test]
fn the_table_says_what_the_layers_say() {
    let text = |text| unsafe { CStr::from_ptr(text) }.to_str().unwrap();
    let table = table();
    assert_eq!((text(table.name), text(table.version)), ("runner-plugin", env!("CARGO_PKG_VERSION")));
    assert_eq!((table.abi_major, table.abi_minor, table.layer_count), (abi::ABI_MAJOR, abi::ABI_MINOR, 2));
    let [noisy, plain] = layers() else { panic!() };
    let (noisy, plain) = unsafe { (&**noisy, &**plain) };
    assert_eq!((text(noisy.name), text(noisy.documentation)), ("noisy", "Adds noise."));
    let flags = abi::LAYER_PARAMETERS | abi::LAYER_MODES | abi::LAYER_RANDOM | abi::LAYER_THREAD_SAFE;
    assert_eq!((noisy.flags, noisy.min_inputs, noisy.max_inputs), (flags, 1, 1));
    let flags = abi::LAYER_THREAD_SAFE | abi::LAYER_FORGETS_INPUTS;
    assert_eq!((plain.flags, plain.min_inputs, plain.max_inputs), (flags, 1, 3));
    assert_eq!((plain.size, plain.devices), (size_of::<abi::Layer>(), abi::DEVICE_CPU));
}

#[test]
fn a_right_call_is_computed() {
    let mut call = Call::new();
    call.forward(|_| {}).unwrap();
    assert!(call.output.iter().zip([1.0, 4.0, 9.0, 4.0, 10.0, 18.0]).all(|(y, x)| (x..x + 1.0).contains(y)));
    call.backward(|_| {}).unwrap();
    call.backward(|_| {}).unwrap();
    assert_eq!(call.gradient, call.values.map(|dy| 2.0 * dy), "added twice");
    let before = call.gradient;
    let unwanted = [null_mut()];
    call.backward(|call| call.input_gradients = unwanted.as_ptr()).unwrap();
    assert_eq!(call.gradient, before, "none was wanted");
}

#[test]
fn tensors_may_have_strides_and_an_offset_that_change_nothing() {
    let mut call = Call::new();
    call.input.strides = (&raw mut call.strides).cast();
    call.input.data = call.input.data.wrapping_byte_sub(64);
    call.input.byte_offset = 64;
    call.forward(|_| {}).unwrap();
    call.strides = [99, 1];
    assert_eq!(call.forward(|_| {}).unwrap_err(), "1: input 0 is not contiguous");
    call.shape[0] = 1;
    call.forward(|call| call.batch = 1).unwrap();
}

#[test]
fn a_call_that_is_not_whole_is_refused() {
    let least = abi::Forward::LEAST;
    let expected = format!("1: the runner's forward call has {} bytes, fewer than {least}", least - 1);
    assert_eq!(refused(|call| call.size = least - 1), expected);
    assert_eq!(refused(|call| call.batch = -1), "1: the runner gave a batch of -1");
    assert_eq!(refused(|call| call.mode = 2), "1: the runner gave a mode of 2");
    assert_eq!(refused(|call| call.inputs = null()), "1: the runner gave no inputs");
    let nothing = [null()];
    assert_eq!(refused(|call| call.inputs = nothing.as_ptr()), "1: input 0 is no tensor");
    assert_eq!(refused(|call| call.input_count = 0), "1: 0 inputs were given to a layer that takes 1 to 1");
    assert_eq!(refused(|call| call.parameter_count = 0), "1: the runner gave 0 parameters for 1");
    assert_eq!(refused(|call| call.output = null_mut()), "1: output is no tensor");
    assert_eq!(refused(|call| call.batch = 3), "1: input 0 does not have the 3 rows of the batch");
    assert!(refused(|call| call.keys = null()).starts_with("2: no random key for row 0: there are 0"));
    let instance = instance();
    let (forward, backward) = (noisy().forward.unwrap(), noisy().backward.unwrap());
    assert_eq!(
        told(|sink| unsafe { forward(instance, null(), sink) }).unwrap_err(),
        "1: the runner gave no forward call"
    );
    assert_eq!(
        told(|sink| unsafe { backward(instance, null(), sink) }).unwrap_err(),
        "1: the runner gave no backward call"
    );
    assert_eq!(told(|sink| unsafe { forward(null_mut(), null(), sink) }).unwrap_err(), "1: the runner gave no layer");
    assert_eq!(unsafe { forward(instance, null(), null_mut()) }, abi::ERROR, "without a sink");
    unsafe { noisy().destroy.unwrap()(instance) };
    unsafe { noisy().destroy.unwrap()(null_mut()) };
}

#[test]
fn calls_of_the_first_minor_are_taken() {
    let mut call = Call::new();
    call.forward(|call| call.size = abi::Forward::LEAST).unwrap();
    call.backward(|call| call.size = abi::Backward::LEAST).unwrap();
    let expected = format!("1: the runner's backward call has 8 bytes, fewer than {}", abi::Backward::LEAST);
    assert_eq!(Call::new().backward(|call| call.size = 8).unwrap_err(), expected);
}

#[test]
fn tensors_that_are_not_as_the_header_says_are_refused() {
    let cuda = abi::DlDevice { device_type: abi::DL_CUDA, device_id: 0 };
    assert_eq!(refused_input(|call| call.input.device = cuda), "1: input 0 is not in memory of the CPU");
    assert_eq!(refused_input(|call| call.input.dtype.bits = 16), "1: input 0 is not of float32");
    assert_eq!(refused_input(|call| call.input.dtype.lanes = 2), "1: input 0 is not of float32");
    for ndim in [-1, 10, i32::MAX] {
        assert_eq!(refused_input(|call| call.input.ndim = ndim), format!("1: input 0 has {ndim} dimensions"));
    }
    assert_eq!(refused_input(|call| call.input.ndim = 0), "1: input 0 does not have the 2 rows of the batch");
    assert_eq!(refused_input(|call| call.input.shape = null_mut()), "1: input 0 has no shape");
    assert_eq!(refused_input(|call| call.shape[1] = -3), "1: input 0 has a dimension of -3");
    assert_eq!(refused_input(|call| call.shape[1] = i64::MAX / 2), "1: input 0 is too large");
    assert_eq!(refused_input(|call| call.input.data = null_mut()), "1: input 0 has no values");
    assert_eq!(refused_input(|call| call.input.byte_offset = 2), "1: input 0 has values that are misaligned");
    assert_eq!(refused_input(|call| call.weight.data = null_mut()), "1: parameter 0 has no values");
    assert_eq!(refused_input(|call| call.weight_shape[0] = 2), "1: parameter weight is (2), not (3)");
    assert_eq!(refused_input(|call| call.out.data = null_mut()), "1: output has no memory");
    let misplaced = |call: &mut Call| (call.out.shape, call.out.ndim) = (call.weight.shape, 1);
    assert_eq!(refused_input(misplaced), "1: output does not have the 2 rows of the batch");
    let flat = |call: &mut Call| call.out.ndim = 1;
    assert_eq!(refused_input(flat), "1: output is (), not (3)");
}

#[test]
fn scratch_that_is_short_or_misaligned_is_refused() {
    assert_eq!(refused(|call| call.scratch_bytes = 23), "1: the runner gave 23 bytes of scratch, fewer than 24");
    assert_eq!(refused(|call| call.scratch = null_mut()), "1: the runner gave scratch that is null or misaligned");
    let shifted = |call: &mut abi::Forward| call.scratch = call.scratch.wrapping_byte_add(4);
    assert_eq!(refused(shifted), "1: the runner gave scratch that is null or misaligned");
}

#[test]
fn backward_looks_at_the_same_things() {
    let refused = |change: fn(&mut abi::Backward)| Call::new().backward(change).unwrap_err();
    assert_eq!(refused(|call| call.output = null()), "1: output is no tensor");
    assert_eq!(refused(|call| call.output_gradient = null()), "1: output gradient is no tensor");
    assert_eq!(refused(|call| call.input_gradients = null()), "1: the runner gave no list of each gradient of input");
    assert_eq!(refused(|call| call.scratch_bytes = 0), "1: the runner gave 0 bytes of scratch, fewer than 24");
    assert_eq!(refused(|call| call.mode = -1), "1: the runner gave a mode of -1");
    let changed = |change: fn(&mut Call)| {
        let mut call = Call::new();
        change(&mut call);
        call.backward(|_| {}).unwrap_err()
    };
    assert_eq!(changed(|call| call.in_gradient.data = null_mut()), "1: gradient of input 0 has no memory");
    assert_eq!(changed(|call| call.in_gradient.ndim = 1), "1: gradient of input 0 is (), not (3)");
    assert_eq!(changed(|call| call.out_gradient.data = null_mut()), "1: the output gradient has no values");
    assert_eq!(changed(|call| call.out.data = null_mut()), "1: output has no values");
}

#[test]
fn shapes_and_arguments_that_are_not_whole_are_refused() {
    let instance = instance();
    let shape = abi::Shape::new(&[3]).unwrap();
    let mut output = abi::Shape::new(&[]).unwrap();
    let mut ask = |inputs: &[*const abi::Shape], room: usize| {
        output.size = room;
        told(|sink| unsafe {
            noisy().output_shape.unwrap()(instance, inputs.as_ptr(), inputs.len(), &raw mut output, sink)
        })
    };
    let whole = size_of::<abi::Shape>();
    ask(&[&raw const shape], whole + 8).unwrap();
    let short = format!("1: the runner's place for the output's shape has 8 bytes, fewer than {whole}");
    assert_eq!(ask(&[&raw const shape], 8).unwrap_err(), short);
    assert_eq!(ask(&[null()], whole).unwrap_err(), "1: the runner gave no shape");
    let many = abi::Shape { rank: 9, ..shape };
    assert_eq!(ask(&[&raw const many], whole).unwrap_err(), "1: a shape has 9 dimensions");
    let negative = abi::Shape::new(&[-1]).unwrap();
    assert_eq!(ask(&[&raw const negative], whole).unwrap_err(), "1: a shape has a dimension of -1");
    assert_eq!(output.dims(), Some(&[3][..]), "as the call that went well left it");
    assert_eq!(unsafe { noisy().scratch_bytes.unwrap()(instance, [null()].as_ptr(), 1, 2) }, 0);
    assert_eq!(unsafe { noisy().scratch_bytes.unwrap()(instance, [&raw const shape].as_ptr(), 1, -2) }, 0);
    let list =
        told(|sink| unsafe { noisy().parameters.unwrap()(instance, [&raw const shape].as_ptr(), 1, null_mut(), sink) });
    assert_eq!(list.unwrap_err(), "1: the runner gave no list of parameters");
    unsafe { noisy().destroy.unwrap()(instance) };
    let mut made = null_mut();
    let create = noisy().create.unwrap();
    let given = told(|sink| unsafe { create(null(), 2, &raw mut made, sink) });
    assert_eq!(given.unwrap_err(), "1: the runner gave no arguments");
    let given = told(|sink| unsafe { create(c"{}".as_ptr(), 2, null_mut(), sink) });
    assert_eq!(given.unwrap_err(), "1: the runner gave no place for the layer");
    assert!(made.is_null());
}
