//! What the runner offers to plugins: the host's table.

use super::instance::{Parameter, ParameterInit, is_too_large};
use rayon::prelude::*;
use runner_plugin_abi as abi;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Mutex;

/// The table that every plugin is given.
pub static HOST: abi::Host = abi::Host {
    size: size_of::<abi::Host>(),
    abi_major: abi::ABI_MAJOR,
    abi_minor: abi::ABI_MINOR,
    version: concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast(),
    log,
    fail,
    add_parameter,
    parallel_for,
    json_number,
};

/// Takes the reason of a failure. Its body may come from several threads.
#[derive(Debug, Default)]
pub struct Reason(Mutex<Option<String>>);

impl Reason {
    /// The sink that leads here, for as long as `self` is borrowed.
    pub fn sink(&self) -> *mut abi::Sink {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// What was said, if anything.
    pub fn said(self) -> Option<String> {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Takes the parameters that a layer lists, or why one is none.
#[derive(Debug, Default)]
pub struct Listed {
    pub parameters: Vec<Parameter>,
    pub fault: Option<String>,
}

impl Listed {
    /// The list that leads here.
    pub fn list(&mut self) -> *mut abi::Parameters {
        std::ptr::from_mut(self).cast()
    }
}

/// Text that a plugin gave; what is no UTF-8 is replaced.
///
/// # Safety
/// `text` is null, or points to `length` bytes.
unsafe fn text(text: *const c_char, length: usize) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    String::from_utf8_lossy(bytes).into_owned()
}

unsafe extern "C" fn log(level: i32, message: *const c_char, length: usize) {
    // SAFETY: the interface asks the plugin for a text of this length.
    let message = unsafe { text(message, length) };
    match level {
        abi::LOG_ERROR => tracing::error!(target: "runner::plugin", "{message}"),
        abi::LOG_WARN => tracing::warn!(target: "runner::plugin", "{message}"),
        abi::LOG_INFO => tracing::info!(target: "runner::plugin", "{message}"),
        _ => tracing::debug!(target: "runner::plugin", "{message}"),
    }
}

unsafe extern "C" fn fail(sink: *mut abi::Sink, message: *const c_char, length: usize) {
    // SAFETY: sinks that are not null are made by `Reason::sink`, and live as long as the call.
    let Some(reason) = (unsafe { sink.cast::<Reason>().as_ref() }) else { return };
    // SAFETY: the interface asks the plugin for a text of this length.
    let message = unsafe { text(message, length) };
    if let Ok(mut said) = reason.0.lock() {
        *said = Some(message);
    }
}

unsafe extern "C" fn add_parameter(list: *mut abi::Parameters, parameter: *const abi::Parameter) {
    // SAFETY: lists are made by `Listed::list`, and used by one thread as long as the call lasts.
    let Some(listed) = (unsafe { list.cast::<Listed>().as_mut() }) else { return };
    // SAFETY: the interface asks for a pointer to a parameter.
    match unsafe { read_parameter(parameter) } {
        Ok(parameter) => listed.parameters.push(parameter),
        Err(fault) => listed.fault = listed.fault.take().or(Some(fault)),
    }
}

/// # Safety
/// `parameter` is null or points to a parameter, of which the first `size` bytes are there.
unsafe fn read_parameter(parameter: *const abi::Parameter) -> Result<Parameter, String> {
    // SAFETY: as the caller says; the size is the first member.
    let size = unsafe { parameter.cast::<usize>().as_ref() }.copied().ok_or("a parameter is null")?;
    if size < size_of::<abi::Parameter>() {
        return Err(format!("a parameter's struct has {size} bytes, not {}", size_of::<abi::Parameter>()));
    }
    // SAFETY: all of it is there.
    let given = unsafe { parameter.read() };
    // SAFETY: the interface asks for a name that ends in a zero byte, or null.
    let name = unsafe { owned(given.name) }.ok_or("a parameter has no name")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!("a parameter cannot be called `{name}`: letters, digits and `_` make a name"));
    }
    let dims = given.dims.get(..given.rank).filter(|dims| !dims.is_empty());
    let dims = dims.ok_or_else(|| format!("parameter `{name}` has {} dimensions", given.rank))?;
    let dims: Option<Vec<usize>> = dims.iter().map(|&dim| usize::try_from(dim).ok().filter(|&dim| dim > 0)).collect();
    let dims = dims.ok_or_else(|| format!("parameter `{name}` has a dimension that is not positive"))?;
    if is_too_large(&dims) {
        return Err(format!("parameter `{name}` is too large: {dims:?}"));
    }
    let init = match given.init {
        abi::INIT_CONSTANT => ParameterInit::Constant(given.a),
        abi::INIT_UNIFORM => ParameterInit::Uniform(given.a, given.b),
        abi::INIT_NORMAL => ParameterInit::Normal { mean: given.a, std: given.b },
        abi::INIT_WEIGHT => {
            let fan = |fan: i64| usize::try_from(fan).unwrap_or(0).max(1);
            ParameterInit::Weight { fan_in: fan(given.fan_in), fan_out: fan(given.fan_out) }
        }
        other => return Err(format!("parameter `{name}` has an unknown init: {other}")),
    };
    Ok(Parameter { name, dims, init, weight_decay: given.weight_decay != 0 })
}

/// A text that ends in a zero byte; `None` for null.
///
/// # Safety
/// `text` is null, or points to a text that ends in a zero byte.
pub unsafe fn owned(text: *const c_char) -> Option<String> {
    // SAFETY: as the caller says.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// The context of a loop, which the plugin lets several threads use at once.
struct Context(*mut c_void);

// SAFETY: the interface says that the body is called from several threads with this context.
unsafe impl Sync for Context {}

impl Context {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

unsafe extern "C" fn parallel_for(count: usize, body: Option<abi::BodyFn>, context: *mut c_void) {
    let Some(body) = body else { return };
    let context = Context(context);
    // SAFETY: the plugin asks for just this call.
    (0..count).into_par_iter().for_each(|index| unsafe { body(context.get(), index) });
}

unsafe extern "C" fn json_number(json: *const c_char, length: usize, pointer: *const c_char, value: *mut f64) -> i32 {
    // SAFETY: the interface asks for a text of this length, and for one that ends in a zero byte.
    let (json, pointer) = unsafe { (text(json, length), owned(pointer)) };
    // SAFETY: the interface asks for a place for one number.
    let (Some(pointer), Some(value)) = (pointer, unsafe { value.as_mut() }) else { return 0 };
    let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    let found = json.pointer(&pointer).and_then(|found| found.as_f64().or(found.as_bool().map(f64::from)));
    match found {
        Some(found) => {
            *value = found;
            1
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(json: &str, pointer: &CStr) -> Option<f64> {
        let mut value = 0.0;
        // SAFETY: the texts are as the function asks for.
        let found = unsafe { json_number(json.as_ptr().cast(), json.len(), pointer.as_ptr(), &raw mut value) };
        (found == 1).then_some(value)
    }

    #[test]
    fn numbers_are_read_out_of_arguments() {
        let json = r#"{ "size": 3, "range": [0.5, -1e3], "on": true, "name": "x" }"#;
        assert_eq!(number(json, c"/size"), Some(3.0));
        assert_eq!(number(json, c"/range/1"), Some(-1000.0));
        assert_eq!(number(json, c"/on"), Some(1.0));
        for pointer in [c"/name", c"/nothing", c"/range/9", c"", c"size"] {
            assert_eq!(number(json, pointer), None, "{pointer:?}");
        }
        assert_eq!(number("3", c""), Some(3.0));
        assert_eq!(number("{", c"/size"), None);
    }

    #[test]
    fn a_loop_calls_its_body_once_for_each() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        unsafe extern "C" fn body(context: *mut c_void, index: usize) {
            // SAFETY: the context below.
            let sums = unsafe { &*context.cast::<[AtomicUsize; 100]>() };
            sums[index].fetch_add(index + 1, Ordering::Relaxed);
        }
        let sums: [AtomicUsize; 100] = std::array::from_fn(|_| AtomicUsize::new(0));
        // SAFETY: the body takes this context.
        unsafe { parallel_for(100, Some(body), (&raw const sums).cast_mut().cast()) };
        assert!(sums.iter().enumerate().all(|(i, sum)| sum.load(Ordering::Relaxed) == i + 1));
    }

    #[test]
    fn the_last_reason_counts() {
        let reason = Reason::default();
        for said in ["first", "second"] {
            // SAFETY: a sink of this kind, and a text of this length.
            unsafe { fail(reason.sink(), said.as_ptr().cast(), said.len()) };
        }
        // SAFETY: null is let pass.
        unsafe { fail(std::ptr::null_mut(), std::ptr::null(), 3) };
        assert_eq!(reason.said().as_deref(), Some("second"));
    }
}
