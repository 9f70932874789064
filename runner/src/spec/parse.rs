//! From text to a [`Node`] tree, event by event, without recursion.

use super::located::{Located, Position, before};
use super::node::{Content, Entry, Node, Span};
use super::syntax;
use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_yaml::{Number, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// How deep lists and maps may be nested.
pub const MAX_DEPTH: usize = 64;

/// How many values a spec may hold, each alias counted as what it stands for.
pub const MAX_VALUES: usize = 100_000;

/// More faults than this are not noted.
const MAX_FAULTS: usize = 100;

/// A text, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it says; `None` where it says nothing.
    pub node: Option<Node>,
    /// What is wrong with it and did not stop the parser: keys given twice, tags.
    pub faults: Vec<Located>,
}

/// Why parsing stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The text makes no sense after this.
    Syntax(Located),
    /// There is more than a spec may hold.
    Limit(Located),
}

impl From<Located> for Stop {
    fn from(located: Located) -> Self {
        Stop::Syntax(located)
    }
}

impl Stop {
    /// The problem, whichever kind it is.
    pub fn located(self) -> Located {
        match self {
            Stop::Syntax(located) | Stop::Limit(located) => located,
        }
    }
}

/// Parses a text, which gets the number `source` in all spans.
pub fn parse(text: &str, source: usize) -> Result<Parsed, Stop> {
    let places = Places::new(text, source);
    let mut builder =
        Builder { text, open: Vec::new(), root: None, anchors: HashMap::new(), values: 0, faults: Vec::new() };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| -> Stop {
            let at = places.byte(error.marker().index());
            let at = Span { source, start: at, end: at };
            match error.info() {
                "recursion limit exceeded" => too_deep(first_too_deep(text, at)),
                info => syntax::explain(info, text, at, builder.bracket()).into(),
            }
        })?;
        let span = places.span(span);
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err(Located::new(span, "a second document begins here; a spec is one document")
                    .help("remove the `---`, or keep each spec in a file of its own")
                    .into());
            }
        }
        builder.event(event, span)?;
    }
    Ok(Parsed { node: builder.root, faults: builder.faults })
}

/// Turns the parser's places, in characters, into bytes.
struct Places {
    source: usize,
    len: usize,
    /// The byte of each character; empty where all characters are one byte.
    bytes: Vec<usize>,
}

impl Places {
    fn new(text: &str, source: usize) -> Self {
        let bytes = if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(byte, _)| byte).collect() };
        Places { source, len: text.len(), bytes }
    }

    fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() {
            character.min(self.len)
        } else {
            self.bytes.get(character).copied().unwrap_or(self.len)
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        Span { source: self.source, start, end: self.byte(span.end.index()).max(start) }
    }
}

struct Builder<'a> {
    text: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    values: usize,
    faults: Vec<Located>,
}

/// A list or map that has begun.
struct Open {
    span: Span,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map { entries: IndexMap<String, Entry>, key: Option<Key>, merged: Vec<Node> },
}

struct Key {
    name: String,
    span: Span,
    merges: bool,
}

/// A value that aliases may stand for.
struct Anchored {
    node: Node,
    depth: usize,
    values: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.tag(tag, span);
                if self.awaits_key() {
                    self.key(&text, style, span)
                } else {
                    let node = Node { span, content: Content::Scalar(scalar(&text, style, span)) };
                    self.value(node, anchor, 1)
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag, span);
                self.begin(span, anchor, Inside::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag, span);
                self.begin(span, anchor, Inside::Map { entries: IndexMap::new(), key: None, merged: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn tag(&mut self, tag: Option<Cow<'_, Tag>>, span: Span) {
        if let Some(tag) = tag.filter(|_| self.faults.len() < MAX_FAULTS) {
            let start = before(self.text, span.start).rfind('!').unwrap_or(span.start);
            let span = Span { start, ..span };
            self.faults.push(Located::new(span, format!("the tag `{tag}` has no meaning in a spec")).help("remove it"));
        }
    }

    /// The innermost bracket that is open.
    fn bracket(&self) -> Option<Span> {
        // Lists and maps of block style have no mark, and cannot stand within brackets.
        self.open.iter().rev().map(|open| open.span).find(|span| !span.is_empty())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, name: &str, style: ScalarStyle, span: Span) -> Result<(), Stop> {
        let plain = style == ScalarStyle::Plain;
        if plain && span.is_empty() {
            return Err(Located::new(span, "a key is missing before this `:`").into());
        }
        if let Some(Open { inside: Inside::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(Key { name: name.to_owned(), span, merges: plain && name == "<<" });
        }
        Ok(())
    }

    fn begin(&mut self, span: Span, anchor: usize, inside: Inside) -> Result<(), Stop> {
        if self.awaits_key() {
            return Err(Located::new(span, "a key is one word, not a list or a map")
                .help("put a text that begins with `[` or `{` in quotes")
                .into());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.open.push(Open { span, anchor, inside });
        Ok(())
    }

    fn end(&mut self, end: Span) -> Result<(), Stop> {
        let Some(Open { span, anchor, inside }) = self.open.pop() else { return Ok(()) };
        // Block style has no closing mark: such a value ends where its last entry does.
        let flow = !span.is_empty();
        let content = match inside {
            Inside::List(nodes) => Content::List(nodes),
            Inside::Map { mut entries, merged, .. } => {
                for node in merged {
                    merge(&mut entries, node)?;
                }
                Content::Map(entries)
            }
        };
        let end = if flow { end.end } else { last_byte(&content, span) };
        self.value(Node { span: Span { end, ..span }, content }, anchor, 1)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        if self.awaits_key() {
            return Err(Located::new(span, "an alias cannot be a key")
                .help("for all other groups, write `\"*\"` in quotes")
                .into());
        }
        let Some(Anchored { node, depth, values }) = self.anchors.get(&anchor) else {
            return Err(Located::new(span, "this alias stands inside of what it stands for").into());
        };
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let values = *values;
        if self.values + values > MAX_VALUES {
            return Err(too_many(span));
        }
        let node = Node { span, content: node.content.clone() };
        self.value(node, 0, values)
    }

    fn count(&mut self, values: usize, span: Span) -> Result<(), Stop> {
        self.values += values;
        if self.values > MAX_VALUES { Err(too_many(span)) } else { Ok(()) }
    }

    /// Puts a finished value into the list or map that is open.
    fn value(&mut self, node: Node, anchor: usize, values: usize) -> Result<(), Stop> {
        self.count(values, node.span)?;
        if anchor != 0 {
            let (depth, values) = measure(&node);
            self.count(values, node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), depth, values });
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(node),
            Some(Inside::List(nodes)) => nodes.push(node),
            Some(Inside::Map { entries, key, merged }) => match key.take() {
                None => {}
                Some(key) if key.merges => merged.push(node),
                Some(Key { name, span, .. }) => match entries.get(&name) {
                    None => {
                        entries.insert(name, Entry { key: span, node });
                    }
                    Some(_) if self.faults.len() >= MAX_FAULTS => {}
                    Some(first) => {
                        let line = Position::of(self.text, first.key.start).line;
                        let fault = Located::new(span, format!("the key `{name}` is given twice"));
                        self.faults.push(fault.help(format!("it was first given in line {line}; keep one of them")));
                    }
                },
            },
        }
        Ok(())
    }
}

fn too_deep(span: Span) -> Stop {
    Stop::Limit(Located::new(span, format!("nested more than {MAX_DEPTH} levels deep")))
}

/// The parser reads ahead and gives up at the 256th bracket; the first that is too deep is before.
fn first_too_deep(text: &str, at: Span) -> Span {
    let mut level = 256;
    let read = text.as_bytes().get(..=at.start).unwrap_or_default();
    for (i, byte) in read.iter().enumerate().rev() {
        match byte {
            b'[' | b'{' if level == MAX_DEPTH + 1 => return Span { start: i, end: i + 1, ..at },
            b'[' | b'{' => level -= 1,
            b']' | b'}' => level += 1,
            _ => {}
        }
    }
    at
}

fn too_many(span: Span) -> Stop {
    let message = format!("a spec holds at most {MAX_VALUES} values, aliases counted as what they stand for");
    Stop::Limit(Located::new(span, message))
}

/// The value of a scalar. Numbers are read as `serde_yaml` reads them.
fn scalar(text: &str, style: ScalarStyle, span: Span) -> Value {
    if style != ScalarStyle::Plain {
        return Value::from(text);
    }
    match text {
        _ if span.is_empty() => Value::Null,
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => text.parse::<Number>().map_or_else(|_| Value::from(text), Value::Number),
    }
}

/// Adds what `<<: *base` gives: the keys that the map does not have itself.
fn merge(entries: &mut IndexMap<String, Entry>, node: Node) -> Result<(), Located> {
    match node.content {
        Content::Map(more) => {
            for (key, entry) in more {
                entries.entry(key).or_insert(entry);
            }
            Ok(())
        }
        Content::List(nodes) => nodes.into_iter().try_for_each(|node| match node.content {
            Content::Map(_) => merge(entries, node),
            _ => Err(Located::new(node.span, "`<<` takes the keys of a map, and this is none")),
        }),
        Content::Scalar(_) => Err(Located::new(node.span, "`<<` takes the keys of a map, and this is none")),
    }
}

/// Levels and values of a tree; no deeper than [`MAX_DEPTH`], as it was built here.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.content {
        Content::Scalar(_) => return (0, 1),
        Content::List(nodes) => nodes.iter().map(measure).collect(),
        Content::Map(entries) => entries.values().map(|entry| measure(&entry.node)).collect(),
    };
    let depth = children.iter().map(|(depth, _)| depth).max().copied().unwrap_or(0);
    (depth + 1, 1 + children.iter().map(|(_, values)| values).sum::<usize>())
}

fn last_byte(content: &Content, span: Span) -> usize {
    let last = match content {
        Content::Scalar(_) => None,
        Content::List(nodes) => nodes.iter().map(|node| node.span.end).max(),
        Content::Map(entries) => entries.values().map(|entry| entry.node.span.end.max(entry.key.end)).max(),
    };
    last.unwrap_or(span.end).max(span.start)
}

#[cfg(test)]
mod tests;
