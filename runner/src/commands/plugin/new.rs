//! `runner plugin new NAME`: a plugin to begin with.

use crate::commands::CommandError;
use crate::layers::AnyLayer;
use crate::plugin::new::{self, Language};
use crate::spec::named::Named;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// What `runner plugin new` takes.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The layer's name, as pipelines will write it: small letters, digits and `_`.
    pub name: String,
    /// The language.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    pub lang: Language,
    /// The folder to write, where it is not to be called as the layer.
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
}

/// Writes a plugin, and says what can be done with it.
pub fn run(args: &NewArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let NewArgs { name, lang, path } = args;
    if AnyLayer::NAMES.contains(&name.as_str()) {
        return Err(CommandError::Arguments(format!("the runner has a layer `{name}` itself: choose another name")));
    }
    let folder = path.clone().unwrap_or_else(|| PathBuf::from(name));
    new::write(&folder, name, *lang)?;
    let source = match lang {
        Language::Rust => "src/lib.rs".to_owned(),
        Language::C => format!("{name}.c"),
    };
    writeln!(out, "The layer `{name}` is in {}. Next:\n", folder.join(source).display())?;
    writeln!(out, "  runner plugin check {}", folder.display())?;
    writeln!(out, "  runner {}", folder.join("pipeline.yaml").display())?;
    Ok(out.flush()?)
}
