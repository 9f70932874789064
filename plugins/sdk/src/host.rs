use runner_plugin_abi as abi;
use std::sync::OnceLock;

static HOST: OnceLock<&'static abi::Host> = OnceLock::new();

/// Keeps the host's table. The first that is given stays: whether it is this one.
pub(crate) fn keep(host: &'static abi::Host) -> bool {
    std::ptr::eq(*HOST.get_or_init(|| host), host)
}

/// The host's table; none where nothing was given yet.
pub(crate) fn host() -> Option<&'static abi::Host> {
    HOST.get().copied()
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something a person should know.
    Warn,
    /// What is done.
    Info,
    /// Everything.
    Debug,
}

/// Writes a line to the runner's log.
pub fn log(level: Level, text: &str) {
    let level = match level {
        Level::Error => abi::LOG_ERROR,
        Level::Warn => abi::LOG_WARN,
        Level::Info => abi::LOG_INFO,
        Level::Debug => abi::LOG_DEBUG,
    };
    if let Some(host) = host() {
        // SAFETY: the text is valid for its length, and the table lives as long as the program.
        unsafe { (host.log)(level, text.as_ptr().cast(), text.len()) }
    }
}

/// Tells why the call that `sink` belongs to fails.
///
/// # Safety
/// `sink` is null or what the host gave to the call that runs.
pub(crate) unsafe fn fail(sink: *mut abi::Sink, text: &str) {
    if let Some(host) = host().filter(|_| !sink.is_null()) {
        // SAFETY: the text is valid for its length; the sink is the caller's promise.
        unsafe { (host.fail)(sink, text.as_ptr().cast(), text.len()) }
    }
}
