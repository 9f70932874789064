use crate::tensor::whole;
use crate::{Error, Init, Parameter, Shape};
use runner_plugin_abi as abi;
use std::ffi::{CStr, c_char, c_void};

/// What a list of parameters is here.
pub(super) type Listed = Result<Vec<Parameter>, Error>;

/// The table of a small host.
pub(super) static HOST: abi::Host = abi::Host {
    size: size_of::<abi::Host>(),
    abi_major: abi::ABI_MAJOR,
    abi_minor: abi::ABI_MINOR,
    version: c"testing".as_ptr(),
    log,
    fail,
    add_parameter,
    parallel_for,
    json_number,
};

/// Calls a function of a table and reads status and reason.
pub(super) fn told(call: impl FnOnce(*mut abi::Sink) -> abi::Status) -> Result<(), Error> {
    let mut reason = String::new();
    match call((&raw mut reason).cast()) {
        abi::OK => Ok(()),
        abi::PANIC => Err(format!("panicked: {reason}").into()),
        _ => Err(reason.into()),
    }
}

/// Gives shapes to a function of a table.
pub(super) fn with_shapes<T>(
    shapes: &[Shape],
    call: impl FnOnce(abi::Shapes, usize) -> Result<T, Error>,
) -> Result<T, Error> {
    let shapes: Vec<abi::Shape> = shapes.iter().map(|shape| shape.to_abi()).collect::<Result<_, _>>()?;
    let pointers: Vec<*const abi::Shape> = shapes.iter().map(std::ptr::from_ref).collect();
    call(pointers.as_ptr(), pointers.len())
}

unsafe extern "C" fn log(level: i32, text: *const c_char, length: usize) {
    // SAFETY: the caller gives as many bytes as it says.
    let text = unsafe { std::slice::from_raw_parts(text.cast(), length) };
    eprintln!("log {level}: {}", String::from_utf8_lossy(text));
}

unsafe extern "C" fn fail(sink: *mut abi::Sink, text: *const c_char, length: usize) {
    // SAFETY: the caller gives the sink of `told`, and as many bytes as it says.
    let (sink, text) = unsafe { (&mut *sink.cast::<String>(), std::slice::from_raw_parts(text.cast::<u8>(), length)) };
    *sink = String::from_utf8_lossy(text).into_owned();
}

unsafe extern "C" fn add_parameter(list: *mut abi::Parameters, parameter: *const abi::Parameter) {
    // SAFETY: the caller gives the list of `Trial::parameters`.
    let list = unsafe { &mut *list.cast::<Listed>() };
    // SAFETY: the caller gives a parameter.
    let read = unsafe { read(parameter) };
    match (list.as_mut(), read) {
        (Ok(list), Ok(parameter)) => list.push(parameter),
        (Ok(_), Err(error)) => *list = Err(error),
        (Err(_), _) => {}
    }
}

/// # Safety
/// `parameter` is null or as the header says.
unsafe fn read(parameter: *const abi::Parameter) -> Result<Parameter, Error> {
    // SAFETY: as the caller promises.
    let parameter = unsafe { whole(parameter, "parameter") }?;
    let shape = abi::Shape { size: size_of::<abi::Shape>(), rank: parameter.rank, dims: parameter.dims };
    let init = match parameter.init {
        abi::INIT_CONSTANT => Init::Constant(parameter.a),
        abi::INIT_UNIFORM => Init::Uniform(parameter.a, parameter.b),
        abi::INIT_NORMAL => Init::Normal(parameter.a, parameter.b),
        _ => Init::Weight { fan_in: parameter.fan_in as usize, fan_out: parameter.fan_out as usize },
    };
    Ok(Parameter {
        // SAFETY: as the caller promises.
        name: unsafe { CStr::from_ptr(parameter.name) }.to_string_lossy().into_owned(),
        // SAFETY: a shape of our own.
        shape: unsafe { Shape::from_abi(&raw const shape) }?,
        init,
        weight_decay: parameter.weight_decay != 0,
    })
}

/// What the threads of a loop share.
struct Context(*mut c_void);

// SAFETY: the caller of `parallel_for` promises that its context may be shared.
unsafe impl Sync for Context {}

unsafe extern "C" fn parallel_for(count: usize, body: Option<abi::BodyFn>, context: *mut c_void) {
    const THREADS: usize = 2;
    let Some(body) = body else { return };
    let context = &Context(context);
    std::thread::scope(|scope| {
        for thread in 0..THREADS.min(count) {
            scope.spawn(move || {
                for index in (thread..count).step_by(THREADS) {
                    // SAFETY: as the caller asks for.
                    unsafe { body(context.0, index) }
                }
            });
        }
    });
}

/// Layers in Rust read their arguments by themselves.
unsafe extern "C" fn json_number(_: *const c_char, _: usize, _: *const c_char, _: *mut f64) -> i32 {
    0
}
