//! Loads libraries: each content once, and for as long as the program runs.

use super::host::{self, HOST};
use super::kind::Kind;
use super::source::Source;
use super::{PluginError, store};
use runner_plugin_abi as abi;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A plugin, loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// The path that it was asked for by.
    pub path: PathBuf,
    /// The file that is loaded: a copy under the hash of its content.
    pub file: PathBuf,
    /// The hash of its content.
    pub sha256: String,
    /// The version of the interface that it is made for: major, minor.
    pub interface: [u32; 2],
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The kinds of layers that it brings.
    pub kinds: Vec<Arc<Kind>>,
}

/// What a library holds, by the hash of its content.
static LOADED: Mutex<Option<HashMap<String, Table>>> = Mutex::new(None);

/// What the plugin's table says.
#[derive(Debug, Clone)]
struct Table {
    interface: [u32; 2],
    name: String,
    version: String,
    kinds: Vec<Arc<Kind>>,
}

/// Loads the plugin at a path: a library, or a folder that is built first. With `pinned`, its content
/// must have that sha256: checked before any of its code runs.
pub fn load(path: &Path, pinned: Option<&str>) -> Result<Plugin, PluginError> {
    let library = Source::at(path)?.library()?;
    let stored = store::keep(path, &library, pinned)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    let table = if let Some(table) = loaded.get(&stored.sha256) {
        table.clone()
    } else {
        let table = open(path, &stored.file)?;
        loaded.insert(stored.sha256.clone(), table.clone());
        table
    };
    let Table { interface, name, version, kinds } = table;
    Ok(Plugin { path: path.to_owned(), file: stored.file, sha256: stored.sha256, interface, name, version, kinds })
}

fn open(path: &Path, file: &Path) -> Result<Table, PluginError> {
    let refused = |reason: String| PluginError::library(path, reason);
    // SAFETY: this runs the library's initialisers. That a plugin is native code, and trusted as
    // such, is what its user accepts by naming it.
    let library = unsafe { bound(file) };
    let library = library
        .map_err(|error| refused(format!("it is no shared library that can be loaded: {}", reason_of(&error))))?;
    // Never closed: its tables and code are pointed to for as long as the program runs.
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    // SAFETY: the interface gives the symbol this type.
    let entry = unsafe { library.get::<abi::EntryFn>(abi::ENTRY) }
        .map_err(|_| refused("it has no symbol `runner_plugin`, so it is no plugin".into()))?;
    // SAFETY: the interface says how it is called.
    let table = unsafe { entry(&raw const HOST) };
    // SAFETY: the interface says that the table is static.
    unsafe { read(table) }.map_err(refused).and_then(|table| checked(path, table))
}

/// Opens a library with all of its symbols bound, so that one that is nowhere is an error now, and not
/// the end of the program when it is called.
///
/// # Safety
/// Its initialisers run.
#[cfg(unix)]
unsafe fn bound(file: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: as the caller says.
    unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

/// # Safety
/// Its initialisers run.
#[cfg(not(unix))]
unsafe fn bound(file: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: as the caller says.
    unsafe { libloading::Library::new(file) }
}

/// The reason that the system gave.
fn reason_of(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// # Safety
/// `table` is null or points to a static table whose first `size` bytes are there.
unsafe fn read(table: *const abi::Table) -> Result<Table, String> {
    // SAFETY: as the caller says; the size is the first member.
    let size = unsafe { table.cast::<usize>().as_ref() }.copied();
    let size = size.ok_or_else(|| {
        format!("it gave no table: it does not work with this runner (interface {}.{})", abi::ABI_MAJOR, abi::ABI_MINOR)
    })?;
    let short = |size: usize, what: &str, whole: usize| format!("its {what} has {size} bytes, and should have {whole}");
    if size < std::mem::offset_of!(abi::Table, name) {
        return Err(short(size, "table", size_of::<abi::Table>()));
    }
    // SAFETY: these members are there.
    let (major, minor) = unsafe { ((*table).abi_major, (*table).abi_minor) };
    if major != abi::ABI_MAJOR {
        return Err(format!(
            "it is made for interface {major}.{minor}, and this runner has {}.{}: build it anew with this runner's \
             `runner_plugin.h`",
            abi::ABI_MAJOR,
            abi::ABI_MINOR
        ));
    }
    if size < size_of::<abi::Table>() {
        return Err(short(size, "table", size_of::<abi::Table>()));
    }
    // SAFETY: all of it is there.
    let table = unsafe { table.read() };
    // SAFETY: the interface asks for texts that end in a zero byte.
    let (name, version) = unsafe { (host::owned(table.name), host::owned(table.version)) };
    let name = name.filter(|name| !name.is_empty()).ok_or("its table has no name")?;
    if table.layers.is_null() || table.layer_count == 0 {
        return Err("it brings no layers".into());
    }
    // SAFETY: the interface asks for so many pointers to layers.
    let layers = unsafe { std::slice::from_raw_parts(table.layers, table.layer_count) };
    let mut kinds = Vec::new();
    for (i, &layer) in layers.iter().enumerate() {
        // SAFETY: the interface asks for a pointer to a layer, or it is null.
        let size =
            unsafe { layer.cast::<usize>().as_ref() }.copied().ok_or_else(|| format!("its layer {i} is null"))?;
        if size < size_of::<abi::Layer>() {
            return Err(short(size, &format!("struct of layer {i}"), size_of::<abi::Layer>()));
        }
        // SAFETY: all of it is there, and its texts end in a zero byte.
        let kind =
            unsafe { Kind::read(&name, minor, layer.read()) }.map_err(|reason| format!("its layer {i}: {reason}"))?;
        kinds.push(Arc::new(kind));
    }
    Ok(Table { interface: [major, minor], name, version: version.unwrap_or_default(), kinds })
}

/// A table whose layers have names of their own.
fn checked(path: &Path, table: Table) -> Result<Table, PluginError> {
    for (i, kind) in table.kinds.iter().enumerate() {
        if table.kinds.iter().take(i).any(|other| other.name() == kind.name()) {
            return Err(PluginError::library(path, format!("it has two layers called `{}`", kind.name())));
        }
    }
    Ok(table)
}
