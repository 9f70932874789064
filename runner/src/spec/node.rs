//! A spec as a tree in which every key and value knows its place in the text.

use super::Path;
use super::path::Segment;
use indexmap::IndexMap;
use serde_yaml::{Mapping, Value};

/// A stretch of one of the texts that a spec is made of: the file, and each `--set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Which text: 0 is the file, then the overrides in order.
    pub source: usize,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// True where nothing is written: the value of `lr:`.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it is written; an alias has the place of the alias.
    pub span: Span,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A number, a string, `true`, `false` or nothing.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the order of the text.
    Map(IndexMap<String, Entry>),
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key is written.
    pub key: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The value without its places.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(nodes) => Value::Sequence(nodes.iter().map(Node::to_value).collect()),
            Content::Map(entries) => {
                let pairs = entries.iter().map(|(key, entry)| (Value::from(key.as_str()), entry.node.to_value()));
                Value::Mapping(pairs.collect::<Mapping>())
            }
        }
    }

    /// The value one step in, and where its key is written.
    pub fn child(&self, segment: &Segment) -> Option<(Option<Span>, &Node)> {
        match (&self.content, segment) {
            (Content::Map(entries), Segment::Key(key)) => entries.get(key).map(|entry| (Some(entry.key), &entry.node)),
            (Content::Map(entries), Segment::Index(index)) => {
                entries.get(&index.to_string()).map(|entry| (Some(entry.key), &entry.node))
            }
            (Content::List(nodes), Segment::Index(index)) => nodes.get(*index).map(|node| (None, node)),
            (Content::List(nodes), Segment::Key(key)) => {
                key.parse().ok().and_then(|i: usize| nodes.get(i)).map(|n| (None, n))
            }
            (Content::Scalar(_), _) => None,
        }
    }

    /// The value at a path.
    pub fn get(&self, path: &Path) -> Option<&Node> {
        path.0.iter().try_fold(self, |node, segment| Some(node.child(segment)?.1))
    }
}
