//! `--set schedule.phases.0.epochs=1`: values on the command line that replace those of the file.

use super::located::Located;
use super::node::{Content, Entry, Node, Span};
use super::parse;
use indexmap::IndexMap;
use std::str::FromStr;

/// One `--set`: a path and a value. Its text is a source of its own, so that errors point into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override(pub String);

impl Override {
    /// Those of a command line.
    pub fn all(sets: &[String]) -> Vec<Self> {
        sets.iter().cloned().map(Override).collect()
    }
}

impl FromStr for Override {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Override(text.to_owned()))
    }
}

/// A key of the path, and where it stands.
struct Step {
    key: String,
    span: Span,
}

impl Override {
    /// Puts the value into the tree; `source` is the number that the text has in spans.
    pub fn apply(&self, root: &mut Node, source: usize) -> Result<(), Located> {
        let (steps, value) = self.parse(source)?;
        put(root, &steps, value)
    }

    fn parse(&self, source: usize) -> Result<(Vec<Step>, Node), Located> {
        let text = self.0.as_str();
        let (steps, equals) = steps(text, source)?;
        let start = equals + 1;
        let rest = text.get(start..).unwrap_or_default();
        let end = Span { source, start, end: text.len() };
        let parsed = parse::parse(rest, source).map_err(|stop| shift_problem(stop.located(), start))?;
        if let Some(fault) = parsed.faults.into_iter().next() {
            return Err(shift_problem(fault, start));
        }
        match parsed.node {
            Some(mut node) => {
                shift(&mut node, start);
                Ok((steps, node))
            }
            None => Err(Located::new(end, "a value is missing after `=`").help("for nothing, write `null`")),
        }
    }
}

/// The keys before `=`, and the place of the `=`. Keys with dots in them stand in double quotes.
fn steps(text: &str, source: usize) -> Result<(Vec<Step>, usize), Located> {
    let whole = Span { source, start: 0, end: text.len() };
    let form = "write `--set path.to.key=value`";
    let mut steps = Vec::new();
    let mut start = 0;
    loop {
        let rest = text.get(start..).unwrap_or_default();
        let (key, len) = if let Some(quoted) = rest.strip_prefix('"') {
            match quoted.split_once('"') {
                Some((key, _)) => (key, key.len() + 2),
                None => return Err(Located::new(Span { start, ..whole }, "the quote that opens here is not closed")),
            }
        } else {
            let key = rest.split(['.', '=']).next().unwrap_or_default();
            (key, key.len())
        };
        let span = Span { source, start, end: start + len };
        if key.is_empty() {
            return Err(Located::new(span, "a key is missing here").help(form));
        }
        steps.push(Step { key: key.to_owned(), span });
        match text.get(start + len..).and_then(|rest| rest.chars().next()) {
            Some('.') => start += len + 1,
            Some('=') => return Ok((steps, start + len)),
            _ => return Err(Located::new(whole, "a `=` is missing").help(form)),
        }
    }
}

fn put(root: &mut Node, steps: &[Step], value: Node) -> Result<(), Located> {
    let Some((last, outer)) = steps.split_last() else { return Ok(()) };
    let mut node = root;
    for step in outer {
        node = slot(node, step)?;
    }
    *slot(node, last)? = value;
    Ok(())
}

/// The value under a key, made where a map lacks it.
fn slot<'a>(node: &'a mut Node, step: &Step) -> Result<&'a mut Node, Located> {
    let place = step.span;
    // What was nothing, or is made here, becomes a map.
    if matches!(&node.content, Content::Scalar(value) if value.is_null()) {
        *node = Node { span: place, content: Content::Map(IndexMap::new()) };
    }
    match &mut node.content {
        Content::Map(entries) => {
            let entry = entries.entry(step.key.clone());
            let nothing = Node { span: place, content: Content::Scalar(serde_yaml::Value::Null) };
            let entry = entry.or_insert_with(|| Entry { key: place, node: nothing });
            Ok(&mut entry.node)
        }
        Content::List(nodes) => {
            let count = nodes.len();
            let index = step.key.parse::<usize>().map_err(|_| {
                Located::new(place, format!("a list has no `{}`", step.key))
                    .help(format!("its entries are counted from 0; there are {count}"))
            })?;
            nodes.get_mut(index).ok_or_else(|| {
                Located::new(place, format!("there is no entry {index}"))
                    .help(format!("entries are counted from 0; there are {count}"))
            })
        }
        Content::Scalar(_) => {
            Err(Located::new(place, format!("`{}` cannot be set: what is around it is a single value", step.key)))
        }
    }
}

fn shift_problem(mut problem: Located, by: usize) -> Located {
    problem.span.start += by;
    problem.span.end += by;
    problem
}

/// Moves all places in a tree. It is no deeper than the parser lets it be.
fn shift(node: &mut Node, by: usize) {
    let moved = |span: Span| Span { start: span.start + by, end: span.end + by, ..span };
    node.span = moved(node.span);
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::List(nodes) => nodes.iter_mut().for_each(|node| shift(node, by)),
        Content::Map(entries) => {
            for entry in entries.values_mut() {
                entry.key = moved(entry.key);
                shift(&mut entry.node, by);
            }
        }
    }
}
