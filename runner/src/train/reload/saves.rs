//! Saves of the spec's file, and of the plugins that it names.

use super::watch::{FileWatch, Seen};
use super::{At, Follow, How, Offer, prepared_from, trial};
use crate::plan::Plan;
use crate::spec::Pipeline;
use crate::train::specs::Origin;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, SystemTime};

/// How often the files of plugins are looked at.
const PLUGINS: Duration = Duration::from_millis(500);

/// Files of a plugin's folder beyond this number are not looked at.
const MOST_FILES: usize = 10_000;

/// Reads and plans a spec whenever it is saved, beside the run.
pub struct Saves {
    offers: Receiver<Offer>,
}

/// What is followed.
pub struct Followed {
    /// The spec's file.
    pub spec: PathBuf,
    /// Values in place of the spec's.
    pub sets: Vec<String>,
    /// What the spec said when the run took it up.
    pub known: String,
    /// The plugins that it names: libraries and folders.
    pub plugins: Vec<PathBuf>,
    /// The contents of plugins that run already: hashes.
    pub tried: Vec<String>,
}

impl Followed {
    /// A spec from where it came, that says `known` and means `written`.
    pub fn new(origin: &Origin, known: &str, written: &Pipeline, plan: &Plan) -> Self {
        Followed {
            spec: origin.spec.clone(),
            sets: origin.sets.clone(),
            known: known.to_owned(),
            plugins: plugins_of(written),
            tried: plan.plugins.iter().map(|plugin| plugin.sha256.clone()).collect(),
        }
    }
}

impl Saves {
    /// Follows a spec. Where its file says something else already, that is the first offer.
    pub fn follow(followed: Followed, how: How) -> Self {
        let watch = FileWatch::start(&followed.spec, followed.known.as_bytes(), how);
        if let Some(why) = &watch.fell_back {
            tracing::warn!("changes of the spec are looked for every second: {why}");
        }
        let (tell, offers) = mpsc::channel();
        let spawned = thread::Builder::new().name("follow".to_owned()).spawn(move || follow(followed, &watch, &tell));
        if let Err(error) = spawned {
            tracing::warn!("changes of the spec are not seen: {error}");
        }
        Saves { offers }
    }

    /// What the spec's file says at this moment, if that is something else; later saves are not seen.
    pub fn once(followed: &Followed) -> Self {
        let (tell, offers) = mpsc::channel();
        match fs::read_to_string(&followed.spec) {
            Ok(text) if text == followed.known => {}
            // It is told when the run asks, for which the channel waits.
            Ok(text) => drop(tell.send(prepare(followed, &text))),
            Err(error) => drop(tell.send(Offer::Gone(error.to_string()))),
        }
        Saves { offers }
    }
}

impl Follow for Saves {
    fn latest(&mut self, _: At) -> Option<Offer> {
        self.offers.try_iter().last()
    }
}

/// Until nobody listens any more.
fn follow(mut followed: Followed, watch: &FileWatch, tell: &Sender<Offer>) {
    let mut files = stamps(&followed.plugins);
    let mut tried = followed.tried.clone();
    loop {
        let offer = match watch.wait(PLUGINS) {
            Some(Seen::Saved(bytes)) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let offer = prepare(&followed, &text);
                followed.known = text;
                offer
            }
            Some(Seen::Gone(why)) => Offer::Gone(why),
            None => {
                let found = stamps(&followed.plugins);
                if found == files {
                    continue;
                }
                // What is written in pieces has come to rest when two looks see the same.
                files = found;
                thread::sleep(PLUGINS / 2);
                if stamps(&followed.plugins) != files {
                    continue;
                }
                prepare(&followed, &followed.known)
            }
        };
        let offer = match offer {
            Offer::Spec(prepared) => match trial::of_plan(&prepared.plan, &mut tried) {
                Ok(()) => Offer::Spec(prepared),
                Err(reason) => Offer::Wrong(reason),
            },
            other => other,
        };
        if let Offer::Spec(prepared) = &offer {
            followed.plugins = plugins_of(&prepared.written);
            // Building may have written into their folders.
            files = stamps(&followed.plugins);
        }
        if tell.send(offer).is_err() {
            return;
        }
    }
}

/// The plugins of a spec: libraries and folders.
fn plugins_of(written: &Pipeline) -> Vec<PathBuf> {
    written.plugins.load.iter().map(|plugin| plugin.path.clone()).collect()
}

fn prepare(followed: &Followed, text: &str) -> Offer {
    match prepared_from(&followed.spec, text, &followed.sets) {
        Ok(prepared) => Offer::Spec(Box::new(prepared)),
        Err(error) => Offer::Wrong(error.render(false)),
    }
}

/// By file: when it was written, and its size.
type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The files that plugins are made of. What builds leave beside them does not count.
fn stamps(plugins: &[PathBuf]) -> Stamps {
    let mut stamps = Stamps::new();
    for plugin in plugins {
        stamp(plugin, true, &mut stamps);
    }
    stamps
}

fn stamp(path: &Path, given: bool, stamps: &mut Stamps) {
    if stamps.len() >= MOST_FILES {
        return;
    }
    let Ok(facts) = fs::metadata(path) else { return };
    if facts.is_dir() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !given && (name == "target" || name.starts_with('.')) {
            return;
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            stamp(&entry.path(), false, stamps);
        }
    } else if given || is_source(path) {
        stamps.insert(path.to_owned(), (facts.modified().ok(), facts.len()));
    }
}

fn is_source(path: &Path) -> bool {
    let built = ["o", "d", "a", "so", "dylib", "dll", "lock"];
    !path.extension().is_some_and(|extension| built.iter().any(|built| extension == *built))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_count_and_what_is_built_of_them_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("plugin");
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::create_dir_all(folder.join("target/debug")).unwrap();
        for name in ["src/lib.rs", "Makefile", "target/debug/x.rs", "libx.so", "x.o"] {
            fs::write(folder.join(name), "x").unwrap();
        }
        let found = stamps(std::slice::from_ref(&folder));
        let names: Vec<_> = found.keys().map(|path| path.strip_prefix(&folder).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["Makefile", "src/lib.rs"]);
        fs::write(folder.join("src/lib.rs"), "xy").unwrap();
        assert_ne!(stamps(std::slice::from_ref(&folder)), found);
        let library = folder.join("libx.so");
        assert_eq!(stamps(&[library]).len(), 1, "a library that the spec names counts");
    }
}
