//! The tables of the C interface, made of layers: what [`export_layers!`](crate::export_layers) uses.

use crate::error::catch;
use crate::host::{fail, keep};
use crate::pass::output_shape as shape_of_output;
use crate::tensor::{size, slice, whole};
use crate::{Backward, Error, Forward, Layer, Level, Shape, log};
use runner_plugin_abi as abi;
use serde_json::Value;
use std::ffi::{CString, c_char, c_void};

/// Makes a crate a plugin with these layers, under the crate's own name and version.
///
/// `export_layers!(Leaky, Square);`
#[macro_export]
macro_rules! export_layers {
    ($($layer:ty),+ $(,)?) => {
        /// The one symbol of the plugin.
        ///
        /// # Safety
        /// `host` is null or the table of a host, which lives as long as the program.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn runner_plugin(host: *const $crate::abi::Host) -> *const $crate::abi::Table {
            static TABLE: ::std::sync::OnceLock<Option<&'static $crate::abi::Table>> = ::std::sync::OnceLock::new();
            let make = || {
                let layers: &[$crate::export::MakeLayer] = &[$($crate::export::LayerTable::of::<$layer>),+];
                $crate::export::plugin(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), layers)
            };
            // SAFETY: as the caller promises.
            unsafe { $crate::export::enter(host, &TABLE, make) }
        }
    };
}

/// Looks at the host and gives it the plugin's table, made on the first call; null if this plugin
/// cannot work with this host, or works with another.
///
/// # Safety
/// `host` is null or the table of a host, which lives as long as the program.
pub unsafe fn enter(
    host: *const abi::Host,
    table: &std::sync::OnceLock<Option<&'static abi::Table>>,
    make: impl FnOnce() -> Result<&'static abi::Table, Error>,
) -> *const abi::Table {
    // SAFETY: as the caller promises.
    let Ok(host) = (unsafe { whole::<abi::Host>(host, "table") }) else { return std::ptr::null() };
    if host.abi_major != abi::ABI_MAJOR {
        return std::ptr::null();
    }
    if !keep(host) {
        return std::ptr::null();
    }
    let table = table.get_or_init(|| {
        let made = catch(make).unwrap_or_else(|panic| Err(Error::new(panic)));
        made.inspect_err(|error| log(Level::Error, &format!("the plugin has no table: {error}"))).ok()
    });
    table.map_or(std::ptr::null(), std::ptr::from_ref)
}

/// Makes the table of a kind of layer.
pub type MakeLayer = fn() -> Result<LayerTable, Error>;

/// The table of a plugin, which lives as long as the program.
pub fn plugin(name: &str, version: &str, layers: &[MakeLayer]) -> Result<&'static abi::Table, Error> {
    let layers: Vec<*const abi::Layer> = layers
        .iter()
        .map(|layer| layer().map(|layer| &raw const Box::leak(Box::new(layer)).table))
        .collect::<Result<_, _>>()?;
    let layers: &[*const abi::Layer] = layers.leak();
    Ok(Box::leak(Box::new(abi::Table {
        size: size_of::<abi::Table>(),
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        name: text(name)?.into_raw(),
        version: text(version)?.into_raw(),
        layer_count: layers.len(),
        layers: layers.as_ptr(),
    })))
}

/// The table of a kind of layer, and the texts that it points to.
#[derive(Debug)]
pub struct LayerTable {
    pub(crate) table: abi::Layer,
    _texts: [CString; 3],
}

impl LayerTable {
    /// The table of `L`; an error if its constants make no sense.
    pub fn of<L: Layer>() -> Result<Self, Error> {
        well_named(L::NAME)?;
        if *L::INPUTS.start() == 0 || L::INPUTS.is_empty() {
            return Err(format!("{} takes from {} to {} inputs", L::NAME, L::INPUTS.start(), L::INPUTS.end()).into());
        }
        let texts = [text(L::NAME)?, text(L::DOCUMENTATION)?, text(&schema::<L>().to_string())?];
        let [name, documentation, schema] = texts.each_ref().map(|text| text.as_ptr());
        let table = abi::Layer {
            size: size_of::<abi::Layer>(),
            name,
            documentation,
            schema,
            flags: flags::<L>(),
            devices: abi::DEVICE_CPU,
            min_inputs: *L::INPUTS.start(),
            max_inputs: *L::INPUTS.end(),
            create: Some(create::<L>),
            destroy: Some(destroy::<L>),
            output_shape: Some(output_shape::<L>),
            parameters: Some(parameters::<L>),
            scratch_bytes: Some(scratch_bytes::<L>),
            multiply_adds: Some(multiply_adds::<L>),
            forward: Some(forward::<L>),
            backward: Some(backward::<L>),
        };
        Ok(LayerTable { table, _texts: texts })
    }
}

/// The JSON Schema (draft 2020-12) of a layer's arguments, with its examples.
pub fn schema<L: Layer>() -> Value {
    let mut schema = schemars::schema_for!(L::Arguments);
    schema.insert("title".to_owned(), L::NAME.into());
    let examples = L::examples();
    if !examples.is_empty() {
        schema.insert("examples".to_owned(), examples.into());
    }
    schema.to_value()
}

fn flags<L: Layer>() -> u64 {
    let flags = [
        (L::PARAMETERS, abi::LAYER_PARAMETERS),
        (L::MODES || L::RANDOM, abi::LAYER_MODES),
        (L::RANDOM, abi::LAYER_RANDOM),
        // A `Layer` is `Sync`, and is only borrowed.
        (true, abi::LAYER_THREAD_SAFE),
        (L::FORGETS_INPUTS, abi::LAYER_FORGETS_INPUTS),
        (L::FORGETS_OUTPUT, abi::LAYER_FORGETS_OUTPUT),
    ];
    flags.iter().filter(|(is, _)| *is).map(|(_, flag)| flag).sum()
}

fn well_named(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!("the name {name:?} is not of small letters, digits and _").into());
    }
    Ok(())
}

fn text(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| format!("{text:?} has a zero byte in it").into())
}

/// Runs the body of a function of the table: an error or a panic becomes a status, and its text goes
/// to the sink.
///
/// # Safety
/// `sink` is null or what the host gave to the call that runs.
unsafe fn guarded(sink: *mut abi::Sink, body: impl FnOnce() -> Result<(), Error>) -> abi::Status {
    let (status, text) = match catch(body) {
        Ok(Ok(())) => return abi::OK,
        Ok(Err(error)) => (abi::ERROR, error.to_string()),
        Err(panic) => (abi::PANIC, panic),
    };
    // SAFETY: as the caller promises.
    unsafe { fail(sink, &text) };
    status
}

/// # Safety
/// `instance` is null or came from `create::<L>` and was not destroyed.
unsafe fn layer<'a, L: Layer>(instance: *mut c_void) -> Result<&'a L, Error> {
    // SAFETY: as the caller promises.
    unsafe { instance.cast::<L>().as_ref() }.ok_or_else(|| "the runner gave no layer".into())
}

/// # Safety
/// `inputs` is null or has `count` pointers, each null or to a shape that lives as long as the call.
unsafe fn shapes(inputs: abi::Shapes, count: usize) -> Result<Vec<Shape>, Error> {
    // SAFETY: as the caller promises.
    let inputs = unsafe { slice(inputs, count) }.ok_or("the runner gave no inputs")?;
    // SAFETY: as the caller promises.
    inputs.iter().map(|shape| unsafe { Shape::from_abi(*shape) }).collect()
}

unsafe extern "C" fn create<L: Layer>(
    arguments: *const c_char,
    length: usize,
    instance: *mut *mut c_void,
    sink: *mut abi::Sink,
) -> abi::Status {
    let body = || {
        if instance.is_null() || !instance.is_aligned() {
            return Err("the runner gave no place for the layer".into());
        }
        // SAFETY: the host gives as many bytes as it says.
        let json = unsafe { slice(arguments.cast::<u8>(), length) }.ok_or("the runner gave no arguments")?;
        // By way of a value, as errors then name no line and column of a text that nobody wrote.
        let value: Value =
            serde_json::from_slice(json).map_err(|error| format!("the arguments are no JSON: {error}"))?;
        let arguments = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let made = Box::new(L::new(arguments)?);
        // SAFETY: neither null nor misaligned, so a place for a pointer.
        unsafe { instance.write(Box::into_raw(made).cast()) };
        Ok(())
    };
    // SAFETY: the sink is the host's.
    unsafe { guarded(sink, body) }
}

unsafe extern "C" fn destroy<L: Layer>(instance: *mut c_void) {
    if instance.is_null() {
        return;
    }
    // SAFETY: the host destroys what `create` made, once.
    let dropped = catch(|| drop(unsafe { Box::from_raw(instance.cast::<L>()) }));
    if let Err(panic) = dropped {
        log(Level::Error, &format!("{}: {panic}", L::NAME));
    }
}

unsafe extern "C" fn output_shape<L: Layer>(
    instance: *mut c_void,
    inputs: abi::Shapes,
    input_count: usize,
    output: *mut abi::Shape,
    sink: *mut abi::Sink,
) -> abi::Status {
    let body = || {
        // SAFETY: here and below, the host gives what the header says.
        let (layer, inputs) = unsafe { (layer::<L>(instance)?, shapes(inputs, input_count)?) };
        // SAFETY: as above.
        let room = unsafe { whole(output.cast_const(), "place for the output's shape") }?.size;
        let shape = shape_of_output(layer, &inputs)?.to_abi()?;
        // SAFETY: it is as large as a shape, as `whole` has seen. Its size stays what the host made it.
        unsafe { output.write(abi::Shape { size: room, ..shape }) };
        Ok(())
    };
    // SAFETY: the sink is the host's.
    unsafe { guarded(sink, body) }
}

unsafe extern "C" fn parameters<L: Layer>(
    instance: *mut c_void,
    inputs: abi::Shapes,
    input_count: usize,
    list: *mut abi::Parameters,
    sink: *mut abi::Sink,
) -> abi::Status {
    let body = || {
        // SAFETY: here and below, the host gives what the header says.
        let (layer, inputs) = unsafe { (layer::<L>(instance)?, shapes(inputs, input_count)?) };
        let listed = layer.parameters(&inputs);
        if !L::PARAMETERS && !listed.is_empty() {
            return Err("it lists parameters, and yet its PARAMETERS is false".into());
        }
        let host = crate::host::host().filter(|_| !list.is_null()).ok_or("the runner gave no list of parameters")?;
        // SAFETY: as above; what is added is copied.
        listed.iter().try_for_each(|listed| listed.give(|parameter| unsafe { (host.add_parameter)(list, parameter) }))
    };
    // SAFETY: the sink is the host's.
    unsafe { guarded(sink, body) }
}

/// Nothing can be said of an error here: it is 0 then, and forward says it.
unsafe extern "C" fn scratch_bytes<L: Layer>(
    instance: *mut c_void,
    inputs: abi::Shapes,
    input_count: usize,
    batch: i64,
) -> u64 {
    // SAFETY: the host gives what the header says.
    let (layer, inputs) = unsafe { (layer::<L>(instance), shapes(inputs, input_count)) };
    let (Ok(layer), Ok(inputs), Ok(batch)) = (layer, inputs, size(batch)) else { return 0 };
    catch(|| layer.scratch_bytes(&inputs, batch)).map_or(0, |bytes| bytes as u64)
}

unsafe extern "C" fn multiply_adds<L: Layer>(instance: *mut c_void, inputs: abi::Shapes, input_count: usize) -> u64 {
    // SAFETY: the host gives what the header says.
    let (layer, inputs) = unsafe { (layer::<L>(instance), shapes(inputs, input_count)) };
    let (Ok(layer), Ok(inputs)) = (layer, inputs) else { return 0 };
    catch(|| layer.multiply_adds(&inputs)).unwrap_or_else(|panic| {
        log(Level::Warn, &format!("{}: multiply_adds: {panic}", L::NAME));
        0
    })
}

unsafe extern "C" fn forward<L: Layer>(
    instance: *mut c_void,
    call: *const abi::Forward,
    sink: *mut abi::Sink,
) -> abi::Status {
    let body = || {
        // SAFETY: the host gives what the header says.
        let (layer, mut pass) = unsafe {
            let layer = layer::<L>(instance)?;
            (layer, Forward::read(layer, call)?)
        };
        layer.forward(&mut pass)
    };
    // SAFETY: the sink is the host's.
    unsafe { guarded(sink, body) }
}

unsafe extern "C" fn backward<L: Layer>(
    instance: *mut c_void,
    call: *const abi::Backward,
    sink: *mut abi::Sink,
) -> abi::Status {
    let body = || {
        // SAFETY: the host gives what the header says.
        let (layer, mut pass) = unsafe {
            let layer = layer::<L>(instance)?;
            (layer, Backward::read(layer, call)?)
        };
        layer.backward(&mut pass)
    };
    // SAFETY: the sink is the host's.
    unsafe { guarded(sink, body) }
}

#[cfg(test)]
mod tests {
    use super::well_named;

    #[test]
    fn names_are_as_pipelines_write_them() {
        assert!(["relu", "conv_2d", "2x", "_"].iter().all(|name| well_named(name).is_ok()));
        assert!(["", "Relu", "re-lu", "re lu", "r\u{e9}lu", "a\0"].iter().all(|name| well_named(name).is_err()));
    }
}
