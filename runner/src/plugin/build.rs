//! Builds the plugins that are given as source.

use super::PluginError;
use crate::cache;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Builds a crate by `cargo build --release`, and gives its library.
pub fn cargo(folder: &Path) -> Result<PathBuf, PluginError> {
    let mut command = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")));
    command.args(["build", "--release", "--message-format=json-render-diagnostics"]);
    let output = run(folder, folder, command, "cargo build --release")?;
    let manifest = canonical(&folder.join("Cargo.toml"));
    let messages = output.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let library = messages.filter_map(|message| artifact(&message, &manifest)).next_back();
    library.ok_or_else(|| {
        PluginError::library(folder, "its crate makes no library: `crate-type = [\"cdylib\"]` under `[lib]` is missing")
    })
}

/// The shared library that a message of cargo says was made for the crate of `manifest`.
fn artifact(message: &serde_json::Value, manifest: &Path) -> Option<PathBuf> {
    let is_ours = canonical(Path::new(message.get("manifest_path")?.as_str()?)) == manifest;
    let kinds = message.pointer("/target/crate_types")?.as_array()?;
    let files = message.get("filenames")?.as_array()?.iter().filter_map(|file| file.as_str().map(PathBuf::from));
    let shared = is_ours && kinds.iter().any(|kind| kind == "cdylib");
    shared.then(|| files.into_iter().find(|file| is_library(file)))?
}

/// Builds a folder by `make`, and gives the one library that is then in it.
pub fn make(folder: &Path) -> Result<PathBuf, PluginError> {
    let mut command = Command::new("make");
    // For compilers that are called without `-I`.
    command.env("CPATH", header(folder)?);
    run(folder, folder, command, "make")?;
    let unread = |error: std::io::Error| PluginError::library(folder, error.to_string());
    let mut libraries = Vec::new();
    for entry in folder.read_dir().map_err(unread)? {
        libraries.push(entry.map_err(unread)?.path());
    }
    libraries.retain(|file| is_library(file));
    match &libraries[..] {
        [library] => Ok(library.clone()),
        found => Err(PluginError::library(
            folder,
            format!("`make` should leave one library in the folder, and there are {}", found.len()),
        )),
    }
}

/// Builds a C file by `cc`, and gives its library: `target/NAME.so` beside the file.
pub fn cc(file: &Path) -> Result<PathBuf, PluginError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unwritten = |error: std::io::Error| PluginError::library(file, format!("cannot write its library: {error}"));
    let target = folder.join("target");
    std::fs::create_dir_all(&target).map_err(unwritten)?;
    let library =
        target.join(file.file_stem().unwrap_or(OsStr::new("plugin"))).with_extension(std::env::consts::DLL_EXTENSION);
    // Another process may build or load the same: the library appears whole or not at all.
    let unfinished =
        tempfile::Builder::new().prefix(".building-").tempfile_in(&target).map_err(unwritten)?.into_temp_path();
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut command = Command::new("cc");
    command
        .args(["-std=c99", "-O3", "-Wall", "-Werror=implicit-function-declaration", "-shared", "-fPIC", "-I"])
        .arg(header(file)?);
    command.arg(absolute(file)).arg("-o").arg(absolute(&unfinished)).arg("-lm");
    run(file, folder, command, "cc")?;
    unfinished.persist(&library).map_err(|error| unwritten(error.error))?;
    Ok(library)
}

/// A folder with `runner_plugin.h`, as this runner knows it.
fn header(plugin: &Path) -> Result<PathBuf, PluginError> {
    let text = runner_plugin_abi::HEADER;
    let unwritten = |error: std::io::Error| PluginError::library(plugin, format!("cannot write the header: {error}"));
    let folder = cache::folder().join("include").join(crate::hex::sha256(text.as_bytes()));
    let file = folder.join("runner_plugin.h");
    if std::fs::read(&file).is_ok_and(|kept| kept == text.as_bytes()) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder).map_err(unwritten)?;
    crate::atomic::write(&file, |file| std::io::Write::write_all(file, text.as_bytes())).map_err(unwritten)?;
    Ok(folder)
}

/// Runs a command in a folder; gives what it printed, or its complaints as an error.
fn run(plugin: &Path, folder: &Path, mut command: Command, name: &str) -> Result<Vec<u8>, PluginError> {
    let waiting = indicatif::ProgressBar::new_spinner().with_message(format!("building {} ({name})", plugin.display()));
    waiting.enable_steady_tick(Duration::from_millis(120));
    let output = command.current_dir(folder).stdin(Stdio::null()).output();
    waiting.finish_and_clear();
    let output = output.map_err(|error| PluginError::library(plugin, format!("cannot run `{name}`: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy);
    let [stdout, stderr] = said.each_ref().map(|text| text.trim());
    // What cargo prints is for programs.
    let text =
        if name.starts_with("cargo") || stdout.is_empty() { stderr.to_owned() } else { format!("{stdout}\n{stderr}") };
    Err(PluginError::library(plugin, format!("`{name}` failed:\n{text}")))
}

fn is_library(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION)
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
