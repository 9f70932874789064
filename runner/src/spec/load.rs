//! From a file to a [`Pipeline`].

use super::located::Located;
use super::node::{Content, Node, Span};
use super::parse::{self, Stop};
use super::source_map::SourceText;
use super::text::{self, NotText, Text};
use super::{Override, Pipeline, Problems, SourceMap, SpecError, typed};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A spec, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub pipeline: Pipeline,
    /// The text of the file.
    pub text: String,
    /// Where each value stands.
    pub map: SourceMap,
    /// The folder of the file: paths in the spec are relative to it.
    pub dir: PathBuf,
}

impl Loaded {
    /// The problems that were found with the spec later on, as an error that points into it.
    pub fn error(&self, problems: &Problems) -> SpecError {
        SpecError::new(problems, &self.map)
    }
}

/// Reads a spec. Values in `overrides` take the place of the file's.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Loaded, SpecError> {
    let name = path.display().to_string();
    let unread = |error: std::io::Error| SpecError::unread(format!("cannot read {name}: {error}"));
    let (bytes, cut) = File::open(path).and_then(text::read).map_err(unread)?;
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    load_bytes(&name, &bytes, cut, dir, overrides)
}

/// Reads a spec from a text that was had otherwise; `name` is what errors call it.
pub fn load_text(name: &str, text: &str, dir: &Path, overrides: &[Override]) -> Result<Loaded, SpecError> {
    let cut = text.len() > text::MAX_BYTES;
    let bytes = text.as_bytes().get(..text::MAX_BYTES).unwrap_or(text.as_bytes());
    load_bytes(name, bytes, cut, dir.to_owned(), overrides)
}

fn load_bytes(name: &str, bytes: &[u8], cut: bool, dir: PathBuf, overrides: &[Override]) -> Result<Loaded, SpecError> {
    let mut sources = vec![SourceText { name: name.to_owned(), text: String::new() }];
    let text = text::decode(bytes, cut).map_err(|NotText { before, message }| {
        let end = before.len();
        let sources = [SourceText { name: name.to_owned(), text: before }];
        SpecError::located(vec![Located::new(Span { source: 0, start: end, end }, message)], &sources)
    })?;
    sources[0].text.clone_from(&text.text);
    let (mut root, mut faults) = tree(&text).map_err(|problem| SpecError::located(vec![problem], &sources))?;
    for (i, one) in overrides.iter().enumerate() {
        sources.push(SourceText { name: "--set".to_owned(), text: one.0.clone() });
        faults.extend(one.apply(&mut root, i + 1).err());
    }
    let map = SourceMap { sources, root };
    match typed::pipeline(&map.root.to_value()) {
        Ok(pipeline) if faults.is_empty() => Ok(Loaded { pipeline, text: text.text, map, dir }),
        Ok(_) => Err(SpecError::located(faults, &map.sources)),
        Err(problems) => {
            faults.extend(problems.0.iter().map(|problem| map.locate(problem)));
            Err(SpecError::located(faults, &map.sources))
        }
    }
}

/// The values of a text; a spec is a map at the top.
fn tree(text: &Text) -> Result<(Node, Vec<Located>), Located> {
    let start = Span::default();
    let parsed = match parse::parse(&text.text, 0) {
        Ok(_) | Err(Stop::Syntax(_)) if text.cut => {
            let limit = text::MAX_BYTES >> 20;
            return Err(Located::new(start, format!("the file is larger than a spec may be: {limit} MiB")));
        }
        other => other.map_err(Stop::located)?,
    };
    let needs = "a spec needs `name`, `data`, `backbone` or `layers`, and `schedule`";
    match parsed.node {
        Some(node @ Node { content: Content::Map(_), .. }) => Ok((node, parsed.faults)),
        Some(Node { content: Content::List(_), span }) => {
            let first = Span { end: span.start + 1, ..span };
            Err(Located::new(first, "a spec is made of keys such as `name:` and `data:`, this is a list").help(needs))
        }
        Some(Node { content: Content::Scalar(value), span }) if !value.is_null() => {
            let first = Span { end: span.start + 1, ..span };
            Err(Located::new(first, "a spec is made of keys such as `name:` and `data:`, this is a text").help(needs))
        }
        _ if text.text.trim().is_empty() => Err(Located::new(start, "the spec is empty").help(needs)),
        _ => Err(Located::new(start, "the spec says nothing: all of it is comments").help(needs)),
    }
}
