//! `runner plugin check PATH`: whether a plugin's layers do what the runner asks of them.

use crate::commands::CommandError;
use crate::plugin::check::{Bench, CHECKS, Checked, Failure, Options, Outcome};
use crate::plugin::{self, Kind, Plugin};
use clap::Args;
use console::{StyledObject, style};
use serde_json::Value;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// What `runner plugin check` takes.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all is well, 1 a check failed, 2 it is no plugin.")]
pub struct CheckArgs {
    /// A library, a C file, or a folder that a plugin is built from.
    pub path: PathBuf,
    /// Check this layer alone.
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,
    /// Make the layer of these arguments, in JSON, rather than of its schema's examples. May be given
    /// several times.
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub arguments: Vec<Value>,
    /// Give it inputs of this shape: `8x8x4` for images, `12` for features, `8x8x4,4` for two inputs.
    /// May be given several times.
    #[arg(long = "input", value_name = "SHAPE", value_parser = shapes)]
    pub inputs: Vec<Shapes>,
}

/// Shapes of inputs for one sample.
#[derive(Debug, Clone)]
pub struct Shapes(Vec<Vec<usize>>);

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

fn shapes(text: &str) -> Result<Shapes, String> {
    let shape = |text: &str| {
        let dims: Option<Vec<usize>> =
            text.split('x').map(|dim| dim.trim().parse().ok().filter(|dim| *dim > 0)).collect();
        dims.filter(|dims| matches!(dims.len(), 1 | 3))
            .ok_or_else(|| format!("`{text}` is neither HEIGHTxWIDTHxCHANNELS nor a number of features"))
    };
    text.split(',').map(shape).collect::<Result<_, _>>().map(Shapes)
}

/// Does all checks and prints each as it ends. The exit code is 1 if any failed.
///
/// A plugin that reaches outside of its memory may end the program: the check that it was in is the
/// last on the screen.
pub fn run(args: &CheckArgs, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let plugin = plugin::load(&args.path, None)?;
    let benches = benches(args, &plugin)?;
    writeln!(out, "{} {} ({})", plugin.name, plugin.version, plugin.path.display())?;
    let (mut done, mut failures) = (0, Vec::new());
    for (kind, mut bench) in benches {
        writeln!(out, "\n{}", style(kind.name()).bold())?;
        for check in &CHECKS {
            write!(out, "  {:23}  ", check.name)?;
            out.flush()?;
            let checked = bench.run(check);
            row(&checked, out)?;
            done += 1;
            failures.extend(checked.err().map(|failure| (kind.name().to_owned(), check.name, failure)));
        }
    }
    writeln!(out)?;
    match failures.first() {
        None => writeln!(out, "all checks passed")?,
        Some((layer, check, failure)) => {
            in_full(layer, check, failure, out)?;
            writeln!(out, "\n{} of {done} checks failed", failures.len())?;
        }
    }
    out.flush()?;
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A bench for each layer that is asked for.
fn benches(args: &CheckArgs, plugin: &Plugin) -> Result<Vec<(Arc<Kind>, Bench)>, CommandError> {
    let wanted = |kind: &&Arc<Kind>| args.layer.as_ref().is_none_or(|layer| layer == kind.name());
    let kinds: Vec<&Arc<Kind>> = plugin.kinds.iter().filter(wanted).collect();
    let names = || plugin.kinds.iter().map(|kind| format!("`{}`", kind.name())).collect::<Vec<_>>().join(", ");
    if kinds.is_empty() {
        let layer = args.layer.as_deref().unwrap_or_default();
        return Err(CommandError::Arguments(format!("plugin `{}` has no layer `{layer}`: {}", plugin.name, names())));
    }
    if kinds.len() > 1 && !args.arguments.is_empty() {
        return Err(CommandError::Arguments(format!("whose arguments? Give --layer, one of {}", names())));
    }
    let options = Options {
        arguments: args.arguments.clone(),
        inputs: args.inputs.iter().map(|Shapes(shapes)| shapes.clone()).collect(),
    };
    let bench = |kind: &Arc<Kind>| Ok((kind.clone(), Bench::new(kind, options.clone())?));
    kinds.into_iter().map(bench).collect::<Result<_, String>>().map_err(CommandError::Arguments)
}

/// The end of a row: how a check ended, and a note.
fn row(checked: &Checked, out: &mut impl Write) -> io::Result<()> {
    let (word, note): (StyledObject<&str>, &str) = match checked {
        Ok(Outcome::Fine(note)) => (style("ok     ").green(), note),
        Ok(Outcome::Skipped(why)) => (style("skipped").dim(), why),
        Err(failure) => (style("failed ").red().bold(), &failure.what),
    };
    writeln!(out, "{}", format!("{word}  {note}").trim_end())
}

fn in_full(layer: &str, check: &str, failure: &Failure, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "`{layer}`, {check}:")?;
    writeln!(out, "  {}", failure.what)?;
    if let Some(with) = &failure.with {
        writeln!(out, "  with {with}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_as_they_are_written() {
        let read = |text: &str| shapes(text).map(|Shapes(shapes)| shapes);
        assert_eq!(read("8x6x4"), Ok(vec![vec![8, 6, 4]]));
        assert_eq!(read("12"), Ok(vec![vec![12]]));
        assert_eq!(read("8x6x4,4"), Ok(vec![vec![8, 6, 4], vec![4]]));
        for bad in ["", "8x8", "0x1x1", "8x8x4,", "axbxc", "-1", "1x2x3x4", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
