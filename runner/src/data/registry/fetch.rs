//! Downloads the archive of a data set.

use super::Entry;
use super::archive::{self, Archive, fingerprint};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;
use tempfile::NamedTempFile;
use ureq::Agent;

/// No archive is larger.
const LARGEST: u64 = 4 << 30;

/// How long to wait for a name, a connection, an answer: short, so that a fallback is soon taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a download may stand still.
const STANDSTILL: Duration = Duration::from_secs(15);

/// Downloads the archive, and keeps it in `cache` where that can be written. Its files are checked
/// before it is placed there, and it is placed at once, so that no half or wrong archive is found
/// there later.
pub fn archive(entry: &Entry, cache: Option<&Path>) -> Result<Archive, String> {
    let within = cache.and_then(|cache| {
        fs::create_dir_all(cache).ok()?;
        Some((NamedTempFile::new_in(cache).ok()?, cache))
    });
    let (mut file, cache) = match within {
        Some((file, cache)) => (file, Some(cache)),
        None => (NamedTempFile::new().map_err(|error| error.to_string())?, None),
    };
    download(entry.name, entry.url, &mut file)?;
    let files =
        archive::read(file.path(), entry.needs).map_err(|reason| format!("what {} gave: {reason}", entry.url))?;
    if fingerprint(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))) != entry.fingerprint {
        return Err(format!("what {} gave is not what is expected: its files' SHA-256 differs", entry.url));
    }
    if let (Some(cache), Some(name)) = (cache, entry.archives.first()) {
        let kept = file.as_file().sync_all().and_then(|()| Ok(file.persist(cache.join(name))?));
        if let Err(error) = kept {
            tracing::warn!("the archive of {} cannot be kept: {error}", entry.name);
        }
    }
    Ok(files)
}

/// Writes what a URL gives to `file`, with a progress bar.
fn download(name: &str, url: &str, file: &mut NamedTempFile) -> Result<(), String> {
    let failed = |reason: &dyn std::fmt::Display| format!("{url} could not be downloaded: {reason}");
    let mut config = Agent::config_builder()
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(2 * PATIENCE))
        .timeout_per_read(Some(STANDSTILL))
        .user_agent(concat!("runner/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("http://127.0.0.1:") {
        // No proxy leads to this machine itself.
        config = config.proxy(None);
    }
    let agent: Agent = config.build().into();
    let response = agent.get(url).call().map_err(|error| failed(&error))?;
    let length = response.body().content_length();
    let bar = progress(name, length);
    let mut body = bar.wrap_read(response.into_body().into_reader()).take(LARGEST);
    let bytes = io::copy(&mut body, file).map_err(|error| failed(&error))?;
    bar.finish_and_clear();
    match length {
        Some(length) if length != bytes => Err(failed(&format!("it broke off after {bytes} of {length} bytes"))),
        _ if bytes == LARGEST => Err(failed(&"it is too large")),
        _ => Ok(()),
    }
}

fn progress(name: &str, length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "downloading {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        }
        None => (ProgressBar::no_length(), "downloading {msg} {bytes} {bytes_per_sec}"),
    };
    let bar = bar.with_message(name.to_owned());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
