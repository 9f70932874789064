//! Loads the plugins of a spec, and makes the layers that they bring.

use crate::layers::{AnyLayer, PluginLayer};
use crate::plugin::schema::{Fault, Step};
use crate::plugin::{self, Kind, Plugin, PluginError};
use crate::spec::named::Named;
use crate::spec::problem::nearest;
use crate::spec::{Path, Pipeline, Problem, Problems};
use std::path::Path as FilePath;
use std::sync::Arc;

/// Loads the plugins of a spec; `dir` is its folder. What is wrong with one is a problem at its entry,
/// and it is left out.
pub fn load(spec: &Pipeline, dir: &FilePath, problems: &mut Problems) -> Vec<Plugin> {
    let mut loaded: Vec<Plugin> = Vec::new();
    for (i, source) in spec.plugins.load.iter().enumerate() {
        let at = spec.plugins.path_of(i);
        if let Some(pinned) = source.sha256.as_deref().filter(|pinned| !is_hash(pinned)) {
            let message = format!("`{pinned}` is no SHA-256: that is 64 digits and letters from a to f");
            problems.push(Problem::new(at.key("sha256"), message));
            continue;
        }
        match plugin::load(&dir.join(&source.path), source.sha256.as_deref()) {
            Ok(plugin) => match taken(&plugin, &loaded) {
                None => loaded.push(plugin),
                Some(message) => problems.push(Problem::new(at, message)),
            },
            Err(error @ PluginError::Pinned { .. }) => {
                let help = "the file has changed since it was pinned: look at what it is now, then pin it anew";
                problems.push(Problem::new(at.key("sha256"), error.to_string()).help(help));
            }
            Err(error) => problems.push(Problem::new(at, error.to_string())),
        }
    }
    loaded
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Why a plugin cannot join: it brings a layer whose name is taken.
fn taken(plugin: &Plugin, loaded: &[Plugin]) -> Option<String> {
    plugin.kinds.iter().find_map(|kind| {
        let name = kind.name();
        let by = if AnyLayer::NAMES.contains(&name) {
            "the runner itself".to_owned()
        } else {
            let other = loaded.iter().find(|other| other.kinds.iter().any(|kind| kind.name() == name))?;
            format!("plugin `{}`", other.name)
        };
        Some(format!("plugin `{}` brings a layer `{name}`, and {by} has one of that name", plugin.name))
    })
}

/// Makes the layers of plugins that a spec uses; `classes` is what `classes` stands for. True when
/// none is left without its plugin.
///
/// Arguments are held against the layer's schema before anything is made. Where a plugin could not be
/// loaded (`all_loaded` is false), a name that nobody knows may be of that one, and is not told.
pub fn resolve(
    spec: &mut Pipeline,
    plugins: &[Plugin],
    all_loaded: bool,
    classes: usize,
    problems: &mut Problems,
) -> bool {
    let guard = spec.plugins.guard;
    let mut all_ready = true;
    for (entry, layer) in spec.layers_written_mut() {
        let AnyLayer::Plugin(layer) = layer else { continue };
        let at = entry.key(layer.name.as_str());
        let kinds = || plugins.iter().flat_map(|plugin| &plugin.kinds);
        let made = match kinds().find(|kind| kind.name() == layer.name) {
            Some(kind) => make(layer, kind, &at, guard, classes),
            None if all_loaded => {
                let names = kinds().map(|kind| kind.name()).chain(AnyLayer::NAMES.iter().copied());
                let message = format!("unknown layer `{}`", layer.name);
                Err(vec![Problem::new(at, message).at_key().suggest(&layer.name, names)])
            }
            None => Err(Vec::new()),
        };
        all_ready &= made.is_ok();
        problems.0.extend(made.err().into_iter().flatten());
    }
    all_ready
}

fn make(layer: &mut PluginLayer, kind: &Arc<Kind>, at: &Path, guard: bool, classes: usize) -> Result<(), Vec<Problem>> {
    let arguments = layer.arguments_for(classes);
    let faults = kind.arguments().faults(&arguments);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(|fault| problem(at, kind, fault)).collect());
    }
    layer.create(kind, &arguments, guard).map_err(|error| vec![Problem::new(at.clone(), error.to_string())])
}

/// A fault of arguments as a problem with the spec.
fn problem(at: &Path, kind: &Kind, fault: Fault) -> Problem {
    let path = fault.at.iter().fold(at.clone(), |path, step| match step {
        Step::Key(key) => path.key(key.as_str()),
        Step::Index(index) => path.index(*index),
    });
    let Fault { at: steps, at_key, message, names, written } = fault;
    if at_key {
        let problem = Problem::new(path, message).at_key();
        return match (written, names.is_empty()) {
            (_, true) if kind.arguments().names().is_empty() => {
                problem.help(format!("`{}` takes no arguments", kind.name()))
            }
            (_, true) => problem.help(format!("`{}` takes no such argument", kind.name())),
            (written, _) => problem.suggest(written.as_deref().unwrap_or_default(), names.iter().map(String::as_str)),
        };
    }
    let problem = Problem::new(path, format!("`{}`: {message}", kind.name()));
    if let Some(nearest) = written.as_deref().and_then(|written| nearest(written, names.iter().map(String::as_str))) {
        return problem.help(format!("did you mean `{nearest}`?"));
    }
    let names = kind.arguments().names();
    if names.is_empty() || !steps.is_empty() {
        return problem;
    }
    problem
        .help(format!("its arguments: {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")))
}
