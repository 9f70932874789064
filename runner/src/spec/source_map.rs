//! From the path of a value to its place: every error about a spec points at it.

use super::Path;
use super::located::{Located, Position};
use super::node::{Content, Node, Span};
use super::problem::Problem;

/// A text that a spec is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// What it is called in messages: the file's path, or `--set`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// The texts of a spec, and where in them each key and value stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceMap {
    /// The file, then each `--set`.
    pub sources: Vec<SourceText>,
    /// The values.
    pub root: Node,
}

impl SourceMap {
    /// Where the key at `path` is written; `None` for entries of lists and for what is not there.
    pub fn key(&self, path: &Path) -> Option<Span> {
        let (last, outer) = path.0.split_last()?;
        let outer = Path(outer.to_vec());
        self.root.get(&outer)?.child(last)?.0
    }

    /// Where the value at `path` is written; `None` for what is not there.
    pub fn value(&self, path: &Path) -> Option<Span> {
        self.root.get(path).map(|node| node.span)
    }

    /// Line and column where a span begins.
    pub fn position(&self, span: Span) -> Position {
        let text = self.sources.get(span.source).map_or("", |source| source.text.as_str());
        Position::of(text, span.start)
    }

    /// Puts a problem in its place.
    pub fn locate(&self, problem: &Problem) -> Located {
        let span = self.place(&problem.path, problem.at_key);
        Located { span, message: problem.message.clone(), help: problem.help.clone() }
    }

    /// The place to point at for a path. Where nothing is written at it, the nearest thing around
    /// it; where a value goes over several lines, its key.
    fn place(&self, path: &Path, at_key: bool) -> Span {
        let mut node = &self.root;
        let mut key = None;
        let mut whole = true;
        for segment in &path.0 {
            let Some((next_key, next)) = node.child(segment) else {
                whole = false;
                break;
            };
            (key, node) = (next_key, next);
        }
        match key {
            Some(key) if (whole && at_key) || node.span.is_empty() || self.spreads(key, node) => key,
            _ => self.first_line(node.span),
        }
    }

    /// Whether a value is a list or map with lines of its own.
    fn spreads(&self, key: Span, node: &Node) -> bool {
        let with_key = Span { start: key.start.min(node.span.start), ..node.span };
        !matches!(node.content, Content::Scalar(_)) && self.first_line(with_key) != with_key
    }

    /// The part of a span that lies in its first line.
    fn first_line(&self, span: Span) -> Span {
        let text = self.sources.get(span.source).and_then(|source| source.text.get(span.start..span.end));
        let line = text.unwrap_or_default().split(['\n', '\r']).next().unwrap_or_default();
        Span { end: span.start + line.trim_end().len(), ..span }
    }
}
