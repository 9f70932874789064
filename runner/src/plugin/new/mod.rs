//! Writes new plugins: a layer to begin with, a pipeline that uses it, and what it is built on.
//!
//! The templates lie beside this file, for a plugin called `my_layer`. A plugin in Rust brings copies
//! of the SDK and of the interface, and the versions of dependencies that this runner was built
//! with: it needs nothing that is not in its folder or in cargo's registry.

mod vendor;

use super::kind::is_name;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The language of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Rust, on the SDK.
    Rust,
    /// C, on the header alone.
    C,
}

/// A plugin cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// A layer cannot be called so.
    #[error("a layer cannot be called `{0}`: small letters, digits and `_` make a name, a letter first")]
    Name(String),
    /// A crate cannot be called so.
    #[error("a plugin in Rust cannot be called `{0}`: Rust has a meaning for that word, or a crate that it uses")]
    Reserved(String),
    /// There is something already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}

/// The names in the templates.
const NAME: &str = "my_layer";
const TYPE: &str = "MyLayer";

/// Names that a crate cannot have: keywords, and crates that it uses.
const RESERVED: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum \
    extern false final fn for gen if impl in let loop macro match mod move mut override priv proc_macro pub ref return \
    runner_plugin runner_plugin_abi schemars self serde serde_json static std struct super test trait true try type \
    typeof unsafe unsized use virtual where while yield";

/// Writes the folder of a plugin that brings a layer called `name`; there must be nothing yet. It
/// appears whole or not at all.
pub fn write(folder: &Path, name: &str, language: Language) -> Result<(), NewError> {
    if !is_name(name) {
        return Err(NewError::Name(name.to_owned()));
    }
    if language == Language::Rust && RESERVED.split_whitespace().any(|word| word == name) {
        return Err(NewError::Reserved(name.to_owned()));
    }
    if folder.symlink_metadata().is_ok() {
        return Err(NewError::Exists(folder.to_owned()));
    }
    let put = || {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let unfinished = parent.join(format!(".{name}-{}", std::process::id()));
        let written = write_files(&unfinished, name, language).and_then(|()| fs::rename(&unfinished, folder));
        written.inspect_err(|_| drop(fs::remove_dir_all(&unfinished)))
    };
    put().map_err(|reason| NewError::Write { path: folder.to_owned(), reason })
}

fn write_files(folder: &Path, name: &str, language: Language) -> io::Result<()> {
    for (path, content) in files(name, language) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, content)?;
    }
    Ok(())
}

/// All files of a plugin, by their path within its folder.
fn files(name: &str, language: Language) -> Vec<(String, String)> {
    let named = |template: &str| template.replace(NAME, name).replace(TYPE, &type_name(name));
    let file = |path: &str, content: &str| (path.to_owned(), content.to_owned());
    let templates: &[(&str, &str)] = match language {
        Language::Rust => &[
            ("Cargo.toml", include_str!("rust/manifest.toml")),
            ("src/lib.rs", include_str!("rust/lib.rs")),
            ("README.md", include_str!("rust/README.md")),
        ],
        Language::C => &[("my_layer.c", include_str!("c/layer.c")), ("README.md", include_str!("c/README.md"))],
    };
    let mut files = vec![
        (".gitignore".to_owned(), include_str!("gitignore").to_owned()),
        ("pipeline.yaml".to_owned(), named(include_str!("pipeline.yaml"))),
    ];
    files.extend(templates.iter().map(|(path, template)| (named(path), named(template))));
    match language {
        Language::Rust => {
            files.push(file("Cargo.lock", vendor::LOCK));
            files.extend(vendor::FILES.iter().map(|(path, content)| file(&format!("vendor/{path}"), content)));
        }
        Language::C => files.push(file("runner_plugin.h", runner_plugin_abi::HEADER)),
    }
    files
}

/// The name of a layer's type: `my_layer` is `MyLayer`, `gate` is `GateLayer`. All end in `Layer`, so
/// that none is a word of Rust or of the SDK.
fn type_name(name: &str) -> String {
    let parts = name.split('_').filter(|part| !part.is_empty());
    let capital =
        |part: &str| part.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(part.chars().skip(1)).collect();
    let parts: Vec<String> = parts.map(capital).collect();
    match parts.last().map(String::as_str) {
        Some("Layer") if parts.len() > 1 => parts.concat(),
        _ => parts.concat() + "Layer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_that_nothing_else_has() {
        for (name, expected) in [
            ("my_layer", "MyLayer"),
            ("gate", "GateLayer"),
            ("layer", "LayerLayer"),
            ("self", "SelfLayer"),
            ("a1__b_", "A1BLayer"),
        ] {
            assert_eq!(type_name(name), expected);
        }
    }

    #[test]
    fn nothing_of_the_template_keeps_its_name() {
        for language in [Language::Rust, Language::C] {
            for (path, content) in files("gate", language) {
                assert!(!path.contains(NAME) && !content.contains(NAME) && !content.contains(TYPE), "{path}");
            }
        }
    }

    #[test]
    fn the_layer_in_rust_is_short() {
        let lines = include_str!("rust/lib.rs").lines().take_while(|line| *line != "#[cfg(test)]");
        let count = lines.filter(|line| !line.trim().is_empty()).count();
        assert!(count < 60, "{count} lines");
    }

    #[test]
    fn bad_names_and_taken_folders_are_refused_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new");
        let refused = |name, language| write(&folder, name, language).unwrap_err().to_string();
        for bad in ["", "My", "a-b", "1a", "_a", "a/b", "é"] {
            assert!(refused(bad, Language::C).starts_with("a layer cannot be called"), "{bad}");
        }
        for reserved in ["fn", "serde", "runner_plugin"] {
            assert!(refused(reserved, Language::Rust).contains("cannot be called"), "{reserved}");
        }
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
        write(&folder, "gate", Language::C).unwrap();
        assert!(refused("gate", Language::Rust).ends_with("new is there already"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(folder.join("gate.c").is_file() && !folder.join("Cargo.toml").exists());

        let below_a_file = folder.join("gate.c/x");
        assert!(write(&below_a_file, "gate", Language::C).unwrap_err().to_string().starts_with("cannot write"));
    }
}
